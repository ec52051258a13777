import type { WriteHost } from '../../core/contracts/host.ts'
import type { Log } from '../../core/contracts/log.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import type { Unwritable } from '../../core/state/unwritable.ts'
import type { Clock } from '../../host/clock.ts'
import { createFailure, isUnwritable } from '../../host/failure.ts'
import { createUnwritablePlaces } from '../../host/unwritable-places.ts'
import { type History, type HistoryEntry, openHistory } from '../session/history.ts'
import { type StateRecord, writeRecord } from '../session/state-files.ts'

/**
 * Writes the controller's record and history. A full disk must not keep services from being repaired: what cannot be written is
 * kept in memory, reported, and written when there is room again.
 */
export interface StateKeeping extends Disposable {
  save(record: StateRecord): void
  /** The record on disk. */
  written(): StateRecord
  readonly history: History
  unwritable(): readonly Unwritable[]
}

/** Interval of retries, in ms. */
const RETRY_INTERVAL = 5_000

/** Number of history entries that are kept while there is no room; older ones are dropped. */
const MOST_WAITING = 1_000

export interface StateKeepingOptions {
  readonly stateDirectory: string
  /** The record on disk. */
  readonly record: StateRecord
  readonly host: WriteHost
  readonly clock: Clock
  readonly log: Log
  /** Writing began to fail, or works again. */
  changed(): void
}

export function openStateKeeping({
  stateDirectory,
  record,
  host,
  clock,
  log,
  changed,
}: StateKeepingOptions): StateKeeping {
  const places = createUnwritablePlaces(log, clock.now, changed)
  const history = openHistory(stateDirectory, host)
  const waiting: HistoryEntry[] = []
  let wanted = record
  let written = record
  let retry: Disposable | undefined

  function writeAll(): void {
    writeRecord(stateDirectory, wanted, written, host)
    written = wanted
    for (let entry = waiting[0]; entry; entry = waiting[0]) {
      history.append(entry)
      waiting.shift()
    }
    places.worked(stateDirectory)
  }

  /** Throws errors other than a lack of room. */
  function attempt(): void {
    retry?.[Symbol.dispose]()
    retry = undefined
    try {
      writeAll()
    } catch (error) {
      retry = clock.after(RETRY_INTERVAL, tryAgain)
      if (!isUnwritable(error)) throw error
      const cause = error instanceof ReeveError ? error.cause : error
      places.failed(
        stateDirectory,
        createFailure(`write to ${stateDirectory}`, cause, { path: stateDirectory }).message,
      )
    }
  }

  function tryAgain(): void {
    try {
      attempt()
    } catch (error) {
      log.warn({ error: messageOf(error) }, `what was done could not be written down: ${messageOf(error)}`)
    }
  }

  return {
    save(next) {
      wanted = next
      tryAgain()
    },
    written: () => written,
    history: {
      append(entry) {
        waiting.push(entry)
        if (waiting.length > MOST_WAITING) waiting.shift()
        attempt()
      },
    },
    unwritable: () => places.list(),
    [Symbol.dispose]() {
      retry?.[Symbol.dispose]()
    },
  }
}
