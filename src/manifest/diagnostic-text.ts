import type { Diagnostic } from '../core/step.ts'

/** The colours that are used: picocolors has them, and `createColors(false)` for none. */
export interface Colors {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  yellow(text: string): string
}

const noColors: Colors = { bold: plain, dim: plain, red: plain, yellow: plain }

function plain(text: string): string {
  return text
}

/**
 * `file:line:column  error  code  message`, and below it the source line with a caret. No newline at the end.
 */
export function formatDiagnostic(diagnostic: Diagnostic, colors: Colors = noColors): string {
  const { file, line, column, severity, code, message, excerpt } = diagnostic
  const place = line === 0 ? file : `${file}:${line}:${column}`
  const colored = severity === 'error' ? colors.red(severity) : colors.yellow(severity)
  const head = `${colors.bold(place)}  ${colored}  ${colors.dim(code)}  ${message}`
  if (excerpt === undefined) return head
  const [source = '', caret = ''] = excerpt.split('\n')
  const number = String(line)
  const bar = colors.dim('|')
  return [
    head,
    `  ${colors.dim(number)} ${bar} ${source}`,
    `  ${' '.repeat(number.length)} ${bar} ${severity === 'error' ? colors.red(caret) : colors.yellow(caret)}`,
  ].join('\n')
}

/** All of them, an empty line between; the empty text if there are none. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], colors: Colors = noColors): string {
  return diagnostics.map(diagnostic => formatDiagnostic(diagnostic, colors)).join('\n\n')
}
