import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { count } from '../cli/screen.ts'

export interface ValidateOptions extends AnswerOptions {
  readonly host?: boolean
}

/** Fails if any manifest has an error; warnings are only reported. */
export async function validate(
  context: CommandContext,
  directory: string | undefined,
  options: ValidateOptions,
): Promise<ExitCode> {
  const session = await openCommandSession(context, namedDirectory(directory, options.manifests))
  const { validate } = await import('../engine/refresh/validation.ts')
  const { facilities, supervisors, diagnostics, complete } = await validate(session, { onHost: options.host === true })
  const valid = complete && diagnostics.every(({ severity }) => severity !== 'error')
  if (options.output === 'json') {
    context.out.writeExact(jsonText({ valid, facilities: facilities.map(({ name }) => name), diagnostics }))
    return valid ? 0 : 1
  }
  await reportDiagnostics(diagnostics, context.err)
  if (!valid) return 1
  const others = supervisors.length === 0 ? '' : ` and ${count(supervisors.length, 'supervisor')}`
  context.out.write(`${count(facilities.length, 'facility', 'facilities')}${others} in ${session.directory}: valid.\n`)
  return 0
}
