import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { FormProblem } from '../../core/model/form.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { DiagnosticCode } from './diagnostic-code.ts'
import { printable } from './printable.ts'
import type { SourceText } from './source-text.ts'

/** Keys and indices that lead to a value in a document. */
export type FieldPath = readonly (string | number)[]

/** Problem with a value in a document. */
export interface FieldProblem {
  readonly code: DiagnosticCode
  readonly message: string
  readonly path: FieldPath
  /** Point at the key rather than at its value. */
  readonly atKey?: boolean
  /** Pattern: the value would be valid as quoted text if it matches. */
  readonly ifQuoted?: string
  readonly severity?: Diagnostic['severity']
}

/** Problem of a field that was read by its shape. */
export function problemOf({ code, path, message }: FormProblem): FieldProblem {
  return { code: code === 'out-of-bounds' ? 'invalid-value' : code, path, message: `${formatPath(path)} ${message}` }
}

/** Problem at an offset in a text. */
export interface TextProblem {
  readonly code: DiagnosticCode
  readonly message: string
  readonly offset: number
  /** Offset of the first occurrence, whose line and column follow the message. */
  readonly first?: number
  readonly severity?: Diagnostic['severity']
}

/** `spec.files[0].path`; the empty path is `the document`. */
export function formatPath(path: FieldPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? printable(part) : `.${printable(part)}`
  }
  return text === '' ? 'the document' : text
}

export function diagnoseText(file: string, source: SourceText, problem: TextProblem): Diagnostic {
  const { line, column } = source.positionAt(problem.offset)
  const first = problem.first === undefined ? undefined : source.positionAt(problem.first)
  const place = first === undefined ? '' : ` (first at ${first.line}:${first.column})`
  return {
    file,
    line,
    column,
    severity: problem.severity ?? 'error',
    code: problem.code,
    message: printable(problem.message + place),
    excerpt: source.excerpt(line, column),
  }
}

/** Diagnostic of a whole file or directory. */
export function diagnoseFile(file: string, code: DiagnosticCode, message: string): Diagnostic {
  return { file, line: 0, column: 0, severity: 'error', code, message: printable(message) }
}

export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.toSorted(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(a.code, b.code) ||
      compareText(a.message, b.message),
  )
}
