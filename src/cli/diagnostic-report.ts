import type { Diagnostic } from '../core/step.ts'
import { count, type Screen } from './screen.ts'

/** All diagnostics, and how many there are. Says nothing if there are none. True if one of them is an error. */
export async function reportDiagnostics(diagnostics: readonly Diagnostic[], screen: Screen): Promise<boolean> {
  if (diagnostics.length === 0) return false
  const { formatDiagnostics } = await import('../manifest/diagnostic-text.ts')
  screen.write(`${formatDiagnostics(diagnostics, { color: screen.colors.isColorSupported })}\n\n`)
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = diagnostics.length - errors
  const parts = [errors > 0 && count(errors, 'error'), warnings > 0 && count(warnings, 'warning')].filter(Boolean)
  screen.write(`${screen.colors.bold(parts.join(', '))}\n`)
  return errors > 0
}
