/** Quotes one word for any POSIX shell (S2). The text contains no NUL, as no argument can. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}
