import type { ProcessFacts } from '../../../src/core/contracts/host.ts'
import type { Exit, Observed } from '../../../src/core/state/observed.ts'
import { GOOD_RUN } from '../../../src/core/state/readiness.ts'
import { few, type LoadedUnit, readNumber } from '../bus/manager.ts'
import { parseMainExit } from './exit-words.ts'
import { journalQuery, matchManager } from './failure-report.ts'
import type { Ground } from './ground.ts'

/**
 * Restarts counted by systemd. `NRestarts` counts all since a person started the unit, those of good runs too, and the end
 * of a run is forgotten when the next one begins; the journal has both.
 */
export interface Restarts extends Pick<Observed, 'restarts' | 'totalRestarts' | 'exit'> {
  /** The previous run ended successfully by systemd's measure. Absent: it didn't, or that is unknown. */
  readonly hasEndedWell?: boolean
}

export interface RestartReader {
  /** For a process that runs since `since` (ms since 1970). `asked`: number of services observed together. */
  running(unit: LoadedUnit, process: ProcessFacts, since: number, asked: number, look: Ground): Promise<Restarts>
  /** For a unit that systemd waits to restart. */
  waiting(unit: LoadedUnit, look: Ground): Promise<Restarts>
}

/** A restart longer ago than this (in journalctl's notation) is of another series of failures. */
const ROW = '-60s'

/** MESSAGE_ID of "Scheduled restart job"; of "Main process exited", if it failed, and "Deactivated successfully". */
const MESSAGES = [
  '5eb03494b6584870a536b337290809b3',
  '98e322203f7a4ed290d09fe03c09fe15',
  '7ad2d189f7e94e70a38c781354912448',
]

/** Time in ms that the journal may lag. */
const JOURNAL_LAG = 1_000

/** The journal is queried once for each run, however often that is observed. */
export function createRestartReader(): RestartReader {
  const known = new Map<string, { readonly run: string; readonly restarts: Restarts }>()

  async function readRun(unit: LoadedUnit, run: string, total: number, age: number, look: Ground): Promise<Restarts> {
    const before = known.get(unit.name)
    if (before?.run === run) return before.restarts
    const { count, exit, hasEndedWell } = await readRow(unit, look)
    const restarts: Restarts = {
      // Without a journal, good runs can't be told from failed ones.
      restarts: count === 0 ? total : Math.min(count, total),
      totalRestarts: total,
      ...(exit && { exit }),
      ...(hasEndedWell && { hasEndedWell }),
    }
    if (count > 0 || age > JOURNAL_LAG) known.set(unit.name, { run, restarts })
    return restarts
  }

  return {
    async running(unit, { pid, startTime }, since, asked, look) {
      const age = Math.abs(look.host.now() - since)
      // Of a thousand that have run for long, none is queried.
      if (age >= GOOD_RUN && asked > few) return {}
      const total = await readNumber(look.bus, unit.path, 'Service', 'NRestarts')
      if (age >= GOOD_RUN || total === 0) {
        known.delete(unit.name)
        return { restarts: 0, totalRestarts: total }
      }
      return readRun(unit, `${pid} ${startTime} ${total}`, total, age, look)
    },
    async waiting(unit, look) {
      const names = ['NRestarts', 'ExecMainStartTimestamp', 'ExecMainExitTimestamp']
      const read = names.map(name => readNumber(look.bus, unit.path, 'Service', name))
      const [total = 0, started = 0, ended = 0] = await Promise.all(read)
      const totalRestarts = total + 1
      if (total === 0 || ended - started >= GOOD_RUN * 1_000) return { restarts: 1, totalRestarts }
      const { restarts = total } = await readRun(unit, `waits ${total}`, total, Number.POSITIVE_INFINITY, look)
      return { restarts: restarts + 1, totalRestarts }
    },
  }
}

/** Number of recent restarts, and how the last run ended, by the journal. */
async function readRow(unit: LoadedUnit, { host, layout }: Ground): Promise<Row> {
  try {
    const ids = MESSAGES.map(id => `MESSAGE_ID=${id}`)
    const of = matchManager(unit.name, layout, host)
    const { stdout } = await host.query([...journalQuery, `--since=${ROW}`, ...ids, ...of])
    return parseRow(stdout)
  } catch {
    return { count: 0 } // there is no journal on this host
  }
}

interface Row {
  readonly count: number
  /** Of the last run, if it failed. */
  readonly exit?: Exit
  readonly hasEndedWell?: boolean
}

export function parseRow(text: string): Row {
  const lines = text.split('\n')
  const count = lines.filter(line => line.includes('Scheduled restart job')).length
  const last = lines.findLast(
    line => line.includes('Main process exited') || line.endsWith('Deactivated successfully.'),
  )
  if (last?.endsWith('Deactivated successfully.')) return { count, hasEndedWell: true }
  const exit = parseMainExit(last ?? '')
  return { count, ...(exit && { exit }) }
}
