const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  s: ' ',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

/** Splits a value such as that of `ExecStart=` into words, without quotes and escapes: the inverse of `quoteWord`. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  for (const [word] of text.matchAll(/(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+/gs)) {
    words.push(word.replace(/"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|\\(?:x[0-9A-Fa-f]{2}|.)/gs, unquote))
  }
  return words
}

function unquote(all: string, double: string | undefined, single: string | undefined): string {
  return withoutEscapes(double ?? single ?? all)
}

function withoutEscapes(text: string): string {
  return text.replace(/\\(?:x([0-9A-Fa-f]{2})|(.))/gs, (_all, code: string | undefined, letter: string) =>
    code === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
