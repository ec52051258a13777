import type { Diagnostic } from '../core/model/diagnostic.ts'
import { groupBy, namesText } from './grouping.ts'
import { count, type Screen } from './screen.ts'

/** Diagnostics with the same message shown in full; one mistake in a supervisor can repeat for each of its facilities. */
const mostAlike = 3

/** Writes all diagnostics and their count; nothing if there are none. True if one is an error. */
export async function reportDiagnostics(diagnostics: readonly Diagnostic[], screen: Screen): Promise<boolean> {
  if (diagnostics.length === 0) return false
  const { formatDiagnostics } = await import('../manifest/diagnostics/diagnostic-text.ts')
  const groups = groupBy(diagnostics, ({ severity, code, message }) => `${severity} ${code} ${message}`)
  const crowds = groups.filter(group => group.length > mostAlike + 1)
  const hidden = new Set(crowds.flatMap(crowd => crowd.slice(mostAlike)))
  const shown = diagnostics.filter(diagnostic => !hidden.has(diagnostic))
  screen.write(`${formatDiagnostics(shown, { colors: screen.colors })}\n\n`)
  for (const crowd of crowds) {
    const [{ code }] = crowd
    const files = new Set(crowd.slice(mostAlike).map(({ file }) => file))
    screen.write(`${crowd.length - mostAlike} more of the same (${code}), in ${namesText([...files])}\n\n`)
  }
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = diagnostics.length - errors
  const parts = [errors > 0 && count(errors, 'error'), warnings > 0 && count(warnings, 'warning')].filter(Boolean)
  screen.write(`${screen.colors.bold(parts.join(', '))}\n`)
  return errors > 0
}
