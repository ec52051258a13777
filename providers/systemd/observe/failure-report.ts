import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { describeLastLines, LAST_LINES, lastLinesOf } from '../../../src/core/state/last-output.ts'
import { quoteWord } from '../../posix/shell-quoting.ts'
import { findUnits, lost } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { describeJobResult } from './exit-words.ts'
import { readFailure } from './service-end.ts'

/** Program for `ReadHost.query`: it only prints. */
export const journalQuery: readonly string[] = ['journalctl', '--no-pager', '--quiet', '--output=cat']

/** Command that shows the unit's journal to a person. */
export function journalCommand(unit: string, { isUser }: Layout): string {
  return `journalctl ${isUser ? '--user ' : ''}-u ${quoteUnit(unit)}`
}

/** Quoted for a shell. */
function quoteUnit(unit: string): string {
  return unit.includes('\\') ? quoteWord(unit) : unit
}

/** Reason why a job failed, with how the unit ended. */
export async function describeJobFailure(unit: string, result: string, bus: Bus): Promise<string> {
  if (result === lost) {
    return `the connection to systemd was lost during the job of ${unit}, and it is not known to have succeeded`
  }
  const found = (await findUnits(bus, [unit])).get(unit)
  const why = found && (await readFailure(found, bus))
  return `${describeJobResult(unit, result)}${why === undefined ? '' : `: ${why}`}`
}

/** A failure, with the last messages of the unit. */
export async function createFailureOf(
  unit: string,
  message: string,
  { host, layout }: { readonly host: ReadHost; readonly layout: Layout },
): Promise<ReeveError> {
  // systemd itself writes some six at each start that fails.
  const lines = lastLinesOf((await readJournal(unit, layout, host, LAST_LINES)).join('\n'))
  return new ReeveError(
    'failed',
    `${message}${describeLastLines(`its journal (${journalCommand(unit, layout)})`, lines)}`,
  )
}

export async function readJournal(unit: string, { isUser }: Layout, host: ReadHost, count: number): Promise<string[]> {
  try {
    const matches = isUser ? matchUser(unit, host.userId()) : matchSystem(unit)
    const { stdout } = await host.query([...journalQuery, `--lines=${count}`, ...matches])
    return stdout.split('\n').filter(Boolean)
  } catch {
    return [] // there is no journal on this host
  }
}

/**
 * Messages as `--unit` selects them, and those of systemd's own child before it became the program: that it couldn't. For a
 * process that is gone when its message is read, the journal knows the unit only by the process's own word, which is trusted
 * if it ran as root.
 */
function matchSystem(unit: string): string[] {
  const [own, about, core] = [`_SYSTEMD_UNIT=${unit}`, `UNIT=${unit}`, `COREDUMP_UNIT=${unit}`]
  return [own, '+', about, '_UID=0', '+', core, '_UID=0']
}

function matchUser(unit: string, uid: number): string[] {
  const user = `_UID=${uid}`
  return [`_SYSTEMD_USER_UNIT=${unit}`, user, '+', `USER_UNIT=${unit}`, user, '+', `COREDUMP_USER_UNIT=${unit}`, user]
}

/** Messages of the manager itself about a unit. */
export function matchManager(unit: string, { isUser }: Layout, host: ReadHost): string[] {
  return isUser ? [`USER_UNIT=${unit}`, `_UID=${host.userId()}`] : [`UNIT=${unit}`, '_PID=1']
}
