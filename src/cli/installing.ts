import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { Status } from '../core/contracts/status.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Installation } from '../engine/install/installation.ts'
import type { Session } from '../engine/session/session.ts'
import { readPackageVersion } from '../host/package-version.ts'
import type { CommandContext } from './context.ts'
import type { NamedDirectory } from './named-directory.ts'
import { outcomeProblems, outcomeText } from './outcome-text.ts'
import type { Progress } from './progress.ts'
import { remarkText } from './screen.ts'

export interface InstallationWish {
  readonly supervisor?: string
  readonly adopt?: boolean
  readonly allowRemovals?: number
}

export interface InstallationWays {
  readonly progress: Progress
  readonly signal: AbortSignal
  /** The command to run again after a failure. */
  readonly command: string
  readonly adopt?: boolean
}

export interface InstallationResult {
  readonly outcome: ApplyOutcome
  /** Absent: it was not installed, and stderr has the reason. */
  readonly controller?: NonNullable<Status['controller']>
}

/** Plans the installation of a controller with the settings of this command line, and writes nothing. */
export async function planInstallation(
  context: CommandContext,
  session: Session,
  named: NamedDirectory | undefined,
  wish: InstallationWish,
): Promise<Installation> {
  const { program } = context.io
  const { prepareInstallation, versionOf } = await import('../engine/install/installation.ts')
  const { supervisor, adopt } = wish
  return prepareInstallation(session, {
    program,
    arguments: runArguments(context, session, named, wish),
    environment: homeOf(context, session),
    version: versionOf(readPackageVersion(), await readFile(program[1])),
    ...(supervisor === undefined ? {} : { supervisor }),
    ...(adopt === undefined ? {} : { adopt }),
  })
}

/** Carries out the plan, and waits until the controller answers. */
export async function installController(
  { err }: CommandContext,
  session: Session,
  installation: Installation,
  { progress, signal, command, adopt }: InstallationWays,
): Promise<InstallationResult> {
  const { carryOutInstallation } = await import('../engine/install/installation.ts')
  const ways = { signal, listener: progress.listener }
  const outcome = await carryOutInstallation(session, installation, ways).finally(progress.end)
  if (outcomeProblems(outcome).length > 0 || signal.aborted) {
    const text = outcomeText(outcome, { command, interrupted: signal.aborted, colors: err.colors })
    err.write(text + hintOf(outcome, adopt))
    return { outcome }
  }
  const { whenControllerAnswers } = await import('../engine/controller/controller-readiness.ts')
  const { log } = installation
  const controller = await whenControllerAnswers(session, signal).catch((error: unknown) => {
    if (!(error instanceof ReeveError) || log === undefined) throw error
    throw new ReeveError(error.code, `${error.message}; see ${log}`, { cause: error })
  })
  return { outcome, controller }
}

/** Where the controller's output is found, and what its supervisor advises. */
export function reportInstallation(
  { out, err }: CommandContext,
  { log, advice }: Installation,
  { pid, problems }: NonNullable<Status['controller']>,
): void {
  out.write(`The controller runs (pid ${pid}), and starts at boot. reeve status shows what it does.\n`)
  if (log !== undefined) out.write(`Its log: ${log}\n`)
  if (advice !== undefined) out.write(`${advice}\n`)
  for (const problem of problems) err.write(remarkText('It says:', problem, err))
}

/** Arguments of `reeve run`. Settings of the host configuration are left there, where they can be changed. */
function runArguments(
  { globals, io }: CommandContext,
  { directory, hasDirectory }: Session,
  given: NamedDirectory | undefined,
  { allowRemovals }: InstallationWish,
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

function hintOf({ plan }: ApplyOutcome, adopt: boolean | undefined): string {
  const isTaken = plan.facilities.some(({ blocked }) => blocked?.includes('adopt: true'))
  return isTaken && !adopt ? 'Here that is: reeve install --adopt\n' : ''
}
