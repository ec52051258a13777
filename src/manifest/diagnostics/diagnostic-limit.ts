import type { Diagnostic } from '../../core/model/diagnostic.ts'
import { diagnoseFile } from './problem.ts'

/** Most diagnostics of one code that are shown. */
const mostOfOneCode = 200

/** Limits repeated diagnostics: the first ones of each code, and a count of the rest. */
export function limitDiagnostics(diagnostics: readonly Diagnostic[], directory: string): Diagnostic[] {
  const counts = new Map<string, number>()
  const kept = diagnostics.filter(({ code, severity }) => {
    const kind = `${severity} ${code}`
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return count <= mostOfOneCode
  })
  for (const [kind, count] of counts) {
    if (count <= mostOfOneCode) continue
    const [severity = '', code = ''] = kind.split(' ')
    const message = `${count - mostOfOneCode} more of ${code} are not shown`
    const more = diagnoseFile(directory, 'more-problems', message)
    kept.push(severity === 'warning' ? { ...more, severity: 'warning' } : more)
  }
  return kept
}
