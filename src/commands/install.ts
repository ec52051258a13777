import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession, openLog } from '../cli/context.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { expectDirectory, type NamedDirectory, namedDirectory } from '../cli/named-directory.ts'
import { outcomeProblems, outcomeText } from '../cli/outcome-text.ts'
import { planText } from '../cli/plan-text.ts'
import { startProgress } from '../cli/progress.ts'
import { remarkText } from '../cli/screen.ts'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'
import { readPackageVersion } from '../host/package-version.ts'

export interface InstallOptions {
  readonly output: OutputFormat
  readonly manifests?: string
  readonly supervisor?: string
  readonly dryRun?: boolean
  readonly adopt?: boolean
  readonly allowRemovals?: number
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
  const { prepareInstallation, carryOutInstallation, versionOf } = await import('../engine/install/installation.ts')
  const { supervisor, adopt } = options
  const installation = await prepareInstallation(session, {
    program: io.program,
    arguments: runArguments(context, session, named, options),
    environment: homeOf(context, session),
    version: versionOf(readPackageVersion(), await readFile(io.program[1])),
    ...(supervisor === undefined ? {} : { supervisor }),
    ...(adopt === undefined ? {} : { adopt }),
  })
  const { place, plan, log, advice } = installation
  const isText = options.output === 'text'
  if (isText) out.write(`Supervisor ${place.supervisor}: ${place.why}.\n`)
  if (options.dryRun) {
    if (isText) out.write(planText(plan, out))
    else out.writeExact(jsonText({ ...place, plan }))
    return 0
  }
  const ways = { signal: interruption.signal, listener: progress.listener }
  const outcome = await carryOutInstallation(session, installation, ways).finally(progress.end)
  const interrupted = interruption.signal.aborted
  const isDone = outcomeProblems(outcome).length === 0 && !interrupted
  const text = outcomeText(outcome, { command: 'reeve install', interrupted, colors: err.colors })
  if (!isDone) {
    err.write(text + hintOf(outcome, options))
    if (!isText) out.writeExact(jsonText({ ...place, ...outcome }))
    return 1
  }
  const { whenControllerAnswers } = await import('../engine/controller/controller-readiness.ts')
  const controller = await whenControllerAnswers(session, interruption.signal).catch((error: unknown) => {
    if (!(error instanceof ReeveError) || log === undefined) throw error
    throw new ReeveError(error.code, `${error.message}; see ${log}`, { cause: error })
  })
  if (!isText) {
    out.writeExact(jsonText({ ...place, ...outcome, controller }))
    return 0
  }
  out.write(text)
  out.write(`The controller runs (pid ${controller.pid}), and starts at boot. reeve status shows what it does.\n`)
  if (log !== undefined) out.write(`Its log: ${log}\n`)
  if (advice !== undefined) out.write(`${advice}\n`)
  for (const problem of controller.problems) err.write(remarkText('It says:', problem, err))
  return 0
}

/** Arguments of `reeve run`. Settings of the host configuration are left there, where they can be changed. */
function runArguments(
  { globals, io }: CommandContext,
  { directory, hasDirectory }: Session,
  given: NamedDirectory | undefined,
  { allowRemovals }: InstallOptions,
): string[] {
  const words: string[] = []
  if (given !== undefined || !hasDirectory) words.push(directory)
  if (globals.config !== undefined) words.push('--config', resolve(io.cwd, globals.config))
  if (globals.stateDir !== undefined) words.push('--state-dir', resolve(io.cwd, globals.stateDir))
  if (globals.logLevel !== undefined) words.push('--log-level', globals.logLevel)
  if (globals.logFormat !== undefined) words.push('--log-format', globals.logFormat)
  if (globals.insecurePermissions) words.push('--insecure-permissions')
  if (allowRemovals !== undefined) words.push('--allow-removals', String(allowRemovals))
  return words
}

/** Variables by which a user's controller finds the same configuration and state as that user's commands. */
function homeOf({ io }: CommandContext, { manifests }: Session): Record<string, string> {
  if (manifests.runsAsRoot) return {}
  const names = ['HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME']
  return Object.fromEntries(names.flatMap(name => (io.env[name] === undefined ? [] : [[name, io.env[name]]])))
}

function hintOf({ plan }: ApplyOutcome, { adopt }: InstallOptions): string {
  const isTaken = plan.facilities.some(({ blocked }) => blocked?.includes('adopt: true'))
  return isTaken && !adopt ? 'Here that is: reeve install --adopt\n' : ''
}
