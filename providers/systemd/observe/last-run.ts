import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { Failure, Run } from '../../../src/core/state/observed.ts'
import { GOOD_RUN } from '../../../src/core/state/readiness.ts'
import { type LoadedUnit, readNumber, readProperty } from '../bus/manager.ts'
import { describeResult, parseMainExit } from './exit-words.ts'
import { journalQuery, matchManager } from './failure-report.ts'
import type { Ground } from './ground.ts'
import { readInvocation } from './loaded-definition.ts'
import { describeFailure, readExit } from './service-end.ts'

/** The last run of a unit that another unit activates, and whether the last finished run failed. */
export interface LastRun {
  readonly run: Run
  readonly failure?: Failure
}

export interface LastRunReader {
  /** Undefined: it has not run in this boot. */
  read(unit: LoadedUnit, starter: Starter, look: Ground): Promise<LastRun | undefined>
}

export interface Starter {
  /** The activated unit is to end; else it is a server, and has succeeded once it has run for `GOOD_RUN`. */
  readonly isTimer: boolean
  /** Time (ms since 1970) since when it waits. A failure before that, which was reset, is of an older definition, say. */
  readonly since: number
}

/** A new run makes systemd forget how the previous one ended. The journal is queried once for each run. */
export function createLastRunReader(): LastRunReader {
  const known = new Map<string, { readonly invocation: string; readonly failure: Failure | undefined }>()

  async function readBefore(unit: LoadedUnit, since: number, look: Ground): Promise<Failure | undefined> {
    const invocation = await readInvocation(look.bus, unit)
    const before = known.get(unit.name)
    if (before?.invocation === invocation) return before.failure
    const failure = await readEarlierFailure(unit, since, look)
    known.set(unit.name, { invocation, failure })
    return failure
  }

  return {
    async read(unit, { isTimer, since }, look) {
      const { bus, host } = look
      const times = await readTimes(unit, bus)
      if (times.began === undefined) return undefined
      if (!isUnderWay(unit)) return readEnded(unit, times, bus)
      const run: Run = { began: times.began, outcome: 'running' }
      if (!isTimer && Math.abs(host.now() - times.began) >= GOOD_RUN) return { run }
      const failure = await readBefore(unit, since, look)
      return { run, ...(failure && { failure }) }
    },
  }
}

/** A unit that stays `active (exited)` has ended, and so has one that systemd waits to restart. */
function isUnderWay({ active, sub }: LoadedUnit): boolean {
  if (active === 'inactive' || active === 'failed') return false
  return sub !== 'exited' && sub !== 'auto-restart'
}

interface Times {
  readonly began?: number
  readonly ended?: number
}

async function readTimes({ path }: LoadedUnit, bus: Bus): Promise<Times> {
  const names = ['InactiveExitTimestamp', 'InactiveEnterTimestamp']
  const [began = 0, ended = 0] = await Promise.all(names.map(name => readNumber(bus, path, 'Unit', name)))
  return { ...(began > 0 && { began: began / 1_000 }), ...(ended >= began && ended > 0 && { ended: ended / 1_000 }) }
}

async function readEnded(unit: LoadedUnit, times: Times, bus: Bus): Promise<LastRun> {
  if (!unit.name.endsWith('.service')) {
    return { run: { ...times, outcome: unit.active === 'failed' ? 'failed' : 'succeeded' } }
  }
  const result = await readProperty(bus, unit.path, 'Service', 'Result')
  if (result === 'exec-condition') return { run: { ...times, outcome: 'skipped', message: describeResult(result) } }
  if (result === 'success') return { run: { ...times, ...(await readSuccess(unit, bus)) } }
  const { state, message = '' } = await describeFailure(unit, bus)
  // Somebody has stopped it, and that took long.
  if (state === 'stopped') return { run: { ...times, outcome: 'unknown', message: 'it was stopped' } }
  const at = times.ended ?? times.began
  return {
    run: { ...times, outcome: 'failed', message },
    failure: { message, ...(at !== undefined && { at }) },
  }
}

/** Also one whose failure somebody has reset (`reset-failed`, a start by Reeve): then it is no longer known. */
async function readSuccess({ path }: LoadedUnit, bus: Bus): Promise<Pick<Run, 'outcome' | 'message'>> {
  const exit = await readExit(path, bus)
  if (exit === undefined || exit.code === 0) return { outcome: 'succeeded' }
  return { outcome: 'unknown', message: describeResult('exit-code', { exit }) }
}

/** MESSAGE_ID of "Failed with result", of "Deactivated successfully", and of "Main process exited". */
const MESSAGES = {
  failed: 'd9b373ed55a64feb8242e02dbe79a49c',
  succeeded: '7ad2d189f7e94e70a38c781354912448',
  exited: '98e322203f7a4ed290d09fe03c09fe15',
}

/** Entries about a finished run: its result, and before that the end of its main process. */
const LINES = 2

/** Result of the run before the present one, by the journal: failed, succeeded or unknown. */
async function readEarlierFailure(
  unit: LoadedUnit,
  since: number,
  { host, layout }: Ground,
): Promise<Failure | undefined> {
  try {
    const ids = Object.values(MESSAGES).map(id => `MESSAGE_ID=${id}`)
    const of = matchManager(unit.name, layout, host)
    const { stdout } = await host.query([
      ...journalQuery,
      `--lines=${LINES}`,
      `--since=@${since / 1_000}`,
      ...ids,
      ...of,
    ])
    return parseVerdict(stdout)
  } catch {
    return undefined // there is no journal on this host
  }
}

export function parseVerdict(text: string): Failure | undefined {
  const [, result] = /: Failed with result '([\w-]+)'\.\s*$/.exec(text) ?? []
  if (result === undefined) return undefined
  const exit = parseMainExit(text)
  return { message: describeResult(result, exit && { exit }) }
}
