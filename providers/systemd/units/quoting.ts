/**
 * systemd's own quoting (systemd.syntax(7), systemd.service(5)), tested against the real systemd in
 * test/systemd/quoting.test.ts.
 */

/** Characters for C-style escapes; other non-text bytes get `\xHH`. */
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\t': '\\t', '\r': '\\r' }

/**
 * One word of a command line, or one `NAME=value`. Variables aren't escaped: where they matter, the line begins with `:`.
 */
export function quoteWord(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be escaped
  const escaped = text.replace(/[\\"\x00-\x1f\x7f]/g, character => {
    return escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `"${escapeSpecifiers(escaped)}"`
}

/** `ExecStart=` and the like: systemd expands no variables, and no `%`. Privileged: `+`. */
export function quoteCommand(command: readonly string[], options: { readonly isPrivileged?: boolean } = {}): string {
  return `${options.isPrivileged ? '+' : ''}:${command.map(quoteWord).join(' ')}`
}

/** A value that systemd reads to the end of the line, such as a path. */
export function escapeSpecifiers(text: string): string {
  return text.replaceAll('%', '%%')
}

/** Reason why a text can't be a whole value; undefined if it can. */
export function findPlainProblem(text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what can't stand there
  if (/[\x00-\x1f\x7f]/.test(text)) return 'systemd takes no control characters here'
  if (/^\s|\s$|\\$/.test(text)) return 'systemd takes no space at its ends here, and no backslash at its end'
  return undefined
}
