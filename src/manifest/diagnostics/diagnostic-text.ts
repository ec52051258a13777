import type { Diagnostic } from '../../core/model/diagnostic.ts'
import { printable } from './printable.ts'

export interface DiagnosticTextOptions {
  /** Default: none. */
  readonly colors?: Readonly<Record<'bold' | 'dim' | 'red' | 'yellow', (text: string) => string>>
}

const plain = { bold: String, dim: String, red: String, yellow: String }

/** `file:line:column  error  code  message`, and below it the source line with a caret. No newline at the end. */
export function formatDiagnostic(diagnostic: Diagnostic, options: DiagnosticTextOptions = {}): string {
  const { colors = plain } = options
  const { line, column, severity, code, message, excerpt } = diagnostic
  const emphasize = severity === 'error' ? colors.red : colors.yellow
  const place = placeOf(printable(diagnostic.file), line, column)
  const head = `${colors.bold(place)}  ${emphasize(severity)}  ${colors.dim(code)}  ${message}`
  if (excerpt === undefined) return head
  const [source = '', caret = ''] = excerpt.split('\n')
  const number = String(line)
  const bar = colors.dim('|')
  return [
    head,
    `  ${colors.dim(number)} ${bar} ${source}`,
    `  ${' '.repeat(number.length)} ${bar} ${emphasize(caret)}`,
  ].join('\n')
}

/** On one line, as in logs: `file:line:column: message (code)`. */
export function diagnosticLine({ file, line, column, code, message }: Diagnostic): string {
  return `${placeOf(printable(file), line, column)}: ${message} (${code})`
}

/** Line 0 stands for the file or directory as a whole. */
function placeOf(file: string, line: number, column: number): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

/** All of them, an empty line between; the empty text if there are none. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: DiagnosticTextOptions = {}): string {
  return diagnostics.map(diagnostic => formatDiagnostic(diagnostic, options)).join('\n\n')
}
