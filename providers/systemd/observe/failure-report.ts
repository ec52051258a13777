import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { describeLastLines, LAST_LINES, lastLinesOf } from '../../../src/core/state/last-output.ts'
import { quoteWord } from '../../posix/shell-quoting.ts'
import { lost } from '../apply/jobs.ts'
import { findUnits } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { describeJobResult } from './exit-words.ts'
import { readFailure } from './service-end.ts'

/** What `ReadHost.query` is used for: it prints, and nothing else. */
export const journalQuery: readonly string[] = ['journalctl', '--no-pager', '--quiet', '--output=cat']

/** What shows a person the unit's journal. */
export function journalCommand(unit: string, { isUser }: Layout): string {
  return `journalctl ${isUser ? '--user ' : ''}-u ${quoteUnit(unit)}`
}

/** As a shell takes it. */
function quoteUnit(unit: string): string {
  return unit.includes('\\') ? quoteWord(unit) : unit
}

/** Why a job didn't do what it was to do, with how the unit ended. */
export async function describeJobFailure(unit: string, result: string, bus: Bus): Promise<string> {
  if (result === lost) {
    return `the connection to systemd was lost during the job of ${unit}, and it is not known to have succeeded`
  }
  const found = (await findUnits(bus, [unit])).get(unit)
  const why = found && (await readFailure(found, bus))
  return `${describeJobResult(unit, result)}${why === undefined ? '' : `: ${why}`}`
}

/** That something has failed, with what the unit has said last. */
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
 * As `--unit` does, and what systemd's own child has said before it became the program: that it couldn't. Of who is gone by the
 * time that it is read, the journal knows only by its own word which unit it was. It is taken from root.
 */
function matchSystem(unit: string): string[] {
  const [own, about, core] = [`_SYSTEMD_UNIT=${unit}`, `UNIT=${unit}`, `COREDUMP_UNIT=${unit}`]
  return [own, '+', about, '_UID=0', '+', core, '_UID=0']
}

function matchUser(unit: string, uid: number): string[] {
  const user = `_UID=${uid}`
  return [`_SYSTEMD_USER_UNIT=${unit}`, user, '+', `USER_UNIT=${unit}`, user, '+', `COREDUMP_USER_UNIT=${unit}`, user]
}

/** What the manager itself has said of a unit. */
export function matchManager(unit: string, { isUser }: Layout, host: ReadHost): string[] {
  return isUser ? [`USER_UNIT=${unit}`, `_UID=${host.userId()}`] : [`UNIT=${unit}`, '_PID=1']
}
