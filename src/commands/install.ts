import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession, openLog } from '../cli/context.ts'
import { type InstallationWish, installController, planInstallation, reportInstallation } from '../cli/installing.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { expectDirectory, namedDirectory } from '../cli/named-directory.ts'
import { outcomeText } from '../cli/outcome-text.ts'
import { planText } from '../cli/plan-text.ts'
import { startProgress } from '../cli/progress.ts'

export interface InstallOptions extends InstallationWish, AnswerOptions {
  readonly dryRun?: boolean
}

/** Installs the controller as a service of this host, as any facility, and waits until it has made a pass. */
export async function install(
  context: CommandContext,
  directory: string | undefined,
  options: InstallOptions,
): Promise<ExitCode> {
  const { io, out, err } = context
  const progress = startProgress(err, io.clock)
  using interruption = listenForInterruption(io, () =>
    progress.screen.write('Interrupted, ending what is under way.\n'),
  )
  const named = namedDirectory(directory, options.manifests)
  const session = await openCommandSession(context, named, openLog(context, { level: 'warn', screen: progress.screen }))
  expectDirectory(session)
  const installation = await planInstallation(context, session, named, options)
  const { place, plan } = installation
  const isText = options.output === 'text'
  if (isText) out.write(`Supervisor ${place.supervisor}: ${place.why}.\n`)
  if (options.dryRun) {
    if (isText) out.write(planText(plan, out))
    else out.writeExact(jsonText({ ...place, plan }))
    return 0
  }
  const { adopt } = options
  const command = 'reeve install'
  const ways = { progress, signal: interruption.signal, command, ...(adopt !== undefined && { adopt }) }
  const { outcome, controller } = await installController(context, session, installation, ways)
  if (!isText) out.writeExact(jsonText({ ...place, ...outcome, ...(controller && { controller }) }))
  if (!controller) return 1
  if (!isText) return 0
  out.write(outcomeText(outcome, { command, interrupted: false, colors: out.colors }))
  reportInstallation(context, installation, controller)
  return 0
}
