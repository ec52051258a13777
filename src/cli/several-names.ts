import { ReeveError } from '../core/reeve-error.ts'
import type { ExitCode } from './command-io.ts'
import { type CommandContext, jsonText, type OutputFormat } from './context.ts'
import { errorText } from './error-text.ts'

/**
 * Acts on each named facility and reports the outcomes. A failure of one doesn't keep it from the
 * others; the exit code tells. As JSON, one name gives an object, several a list of those that went well.
 */
export async function forEachName(
  { out, err, globals }: CommandContext,
  names: readonly string[],
  output: OutputFormat,
  act: (name: string) => Promise<{ readonly message: string }>,
): Promise<ExitCode> {
  const outcomes: { readonly message: string }[] = []
  for (const name of new Set(names)) {
    try {
      const outcome = await act(name)
      outcomes.push(outcome)
      if (output === 'text') out.write(`${outcome.message}\n`)
    } catch (error) {
      if (names.length === 1 || !(error instanceof ReeveError)) throw error
      err.write(errorText(error, { colors: err.colors, debug: globals.logLevel === 'debug' }))
    }
  }
  if (output === 'json') out.writeExact(jsonText(names.length === 1 ? outcomes[0] : outcomes))
  return outcomes.length === new Set(names).size ? 0 : 1
}
