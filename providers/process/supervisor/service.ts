import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { createFailure, isUnwritable } from '../../../src/host/failure.ts'
import type { UnwritablePlaces } from '../../../src/host/unwritable-places.ts'
import type { ServiceDefinition } from '../shared/definition.ts'
import { type Layout, recordPath, temporaryRecordPath } from '../shared/layout.ts'
import { formatRecord, type ServiceRecord } from '../shared/service-record.ts'
import type { Tools } from '../shared/tools.ts'
import type { KnownRun } from './run-facts.ts'

/** Dependencies of all parts of the supervisor. */
export interface Context {
  readonly host: WriteHost
  readonly layout: Layout
  readonly log: Log
  readonly clock: Clock
  readonly tools: Tools
  /** Program that runs Reeve. */
  readonly node: string
  /** Failed writes: the action is done all the same, and reported (telling.ts). */
  readonly unwritable: UnwritablePlaces
  /** Called when the set of failed writes has changed. */
  told(): void
  /** In [0, 1). */
  random(): number
  /** Has the service advanced again soon. */
  wake(service: string): void
}

/** A service in the supervisor's memory. Everything outside `record` may be lost with the supervisor at any time. */
export interface Service {
  readonly name: string
  record: ServiceRecord
  /** Whether the record on disk equals this one. */
  isSaved: boolean
  /** The last attempt to write it failed, which is reported. */
  isHeldBack: boolean
  /** Runs that are over: their files are removed once the record that says so is saved. */
  finished: number[]
  definition: ServiceDefinition
  /** Number of starts attempted by this supervisor, and the result of the last one. */
  attempts: number
  attempt: 'under way' | 'executed' | 'failed'
  /** Command line of the newest run, if this supervisor started it. */
  chain: readonly string[] | undefined
  /** The newest run whose shim is our child, and the newest of those that has ended. */
  spawned: number
  shimEnded: number
  /** Exit code; undefined: a signal ended it. */
  shimStatus: number | undefined
  /** Knowledge of the newest run besides its files, which may be missing on a full disk. */
  known: KnownRun
  /** Run of another supervisor that we have claimed in place of its shim. */
  claimed: number
  /** Time at which the main process was last observed alive, in clock ticks since boot. */
  seenAlive: number
  /** Time at which KILL is due during a stop, in ms of `Clock.elapsed`; and whether the stop signal has been sent. */
  killAt: number | undefined
  isSignalled: boolean
  /** Consecutive checks that found nothing new: the next one waits longer. */
  looks: number
  timer: Disposable | undefined
}

export function createService(name: string, record: ServiceRecord, definition: ServiceDefinition): Service {
  return {
    name,
    record,
    isSaved: false,
    isHeldBack: false,
    finished: [],
    definition,
    attempts: 0,
    attempt: 'executed',
    chain: undefined,
    spawned: 0,
    shimEnded: 0,
    shimStatus: undefined,
    known: {},
    claimed: 0,
    seenAlive: 0,
    killAt: undefined,
    isSignalled: false,
    looks: 0,
    timer: undefined,
  }
}

/**
 * Changes the record in memory. It is saved at the end of the round at the latest, and before an effect that relies on it.
 */
export function setRecord(service: Service, record: ServiceRecord): void {
  if (record.phase !== service.record.phase) service.looks = 0
  service.record = record
  service.isSaved = false
}

/**
 * Saves the record without a sync: it has to survive the supervisor, and the kernel keeps it for that. After a crash of the
 * machine, the runs it describes are gone as well, and the next boot uses `enabled`, which is synced. Throws ReeveError.
 */
function saveRecord(service: Service, { host, layout, told }: Context): void {
  const temporary = temporaryRecordPath(layout, service.name)
  // There is one only if a supervisor was killed at this very point.
  if (host.facts(temporary)) host.removeFile(temporary)
  host.appendFile(temporary, formatRecord(service.record), { mode: 0o600 })
  host.moveFile(temporary, recordPath(layout, service.name))
  service.isSaved = true
  if (!service.isHeldBack) return
  service.isHeldBack = false
  told()
}

/** The action continues in any case: a full disk must keep no service from being stopped or started. */
export function trySaveRecord(service: Service, context: Context): void {
  if (service.isSaved) return
  try {
    saveRecord(service, context)
  } catch (error) {
    service.isHeldBack = true
    if (!noteUnwritable(error, context))
      context.log.error({ service: service.name }, `its state could not be saved: ${messageOf(error)}`)
    context.told()
  }
}

/** False for any other error. */
export function noteUnwritable(error: unknown, { layout: { directory }, unwritable }: Context): boolean {
  if (!isUnwritable(error)) return false
  const cause = error instanceof ReeveError ? error.cause : error
  unwritable.failed(directory, createFailure(`write to ${directory}`, cause, { path: directory }).message)
  return true
}

/** Has the service advanced again in so many milliseconds, or earlier on an event. */
export function wakeIn(service: Service, duration: number, { clock, wake }: Context): void {
  service.timer?.[Symbol.dispose]()
  service.timer = clock.after(Math.max(1, duration), () => wake(service.name))
}

/** Like `wakeIn`, soon at first and less and less often, from 2 ms up to `most`. */
export function lookAgain(service: Service, most: number, context: Context): void {
  wakeIn(service, Math.min(2 ** (1 + Math.min(service.looks, 20)), most), context)
  service.looks += 1
}
