/** One word for any POSIX shell, whatever is in it (S2). The text holds no NUL: no argument can. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}
