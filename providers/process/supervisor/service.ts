import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { createFailure, isUnwritable } from '../../../src/host/failure.ts'
import type { UnwritablePlaces } from '../../../src/host/unwritable-places.ts'
import type { ServiceDefinition } from '../shared/definition.ts'
import { type Layout, recordPath, temporaryRecordPath } from '../shared/layout.ts'
import { formatRecord, type ServiceRecord } from '../shared/service-record.ts'
import type { KnownRun } from './run-facts.ts'
import type { Tools } from './shim-script.ts'

/** What everything in the supervisor works with. */
export interface Context {
  readonly host: WriteHost
  readonly layout: Layout
  readonly log: Log
  readonly clock: Clock
  readonly tools: Tools
  /** The program that runs Reeve. */
  readonly node: string
  /** Where nothing can be written down: what is to be done is done all the same, and told (telling.ts). */
  readonly unwritable: UnwritablePlaces
  /** What could not be written down has changed. */
  told(): void
  /** In [0, 1). */
  random(): number
  /** Has the service looked at again soon. */
  wake(service: string): void
}

/** A service as the supervisor holds it. What isn't in `record` may be lost with the supervisor at any time. */
export interface Service {
  readonly name: string
  record: ServiceRecord
  /** Whether the record on disk is this one. */
  isSaved: boolean
  /** It could not be written down when that was tried last: whoever wants to know is told. */
  isHeldBack: boolean
  /** Runs that are over: their files go once the record that says so is saved. */
  finished: number[]
  definition: ServiceDefinition
  /** Counts the starts tried by this supervisor, and what came of the last one. */
  attempts: number
  attempt: 'under way' | 'executed' | 'failed'
  /** The command line of the newest run, if this supervisor started it. */
  chain: readonly string[] | undefined
  /** The newest run whose shim is a child of ours, and the newest of those that has ended. */
  spawned: number
  shimEnded: number
  /** With which code; undefined: a signal ended it. */
  shimStatus: number | undefined
  /** What is known of the newest run besides what its files say, which may have come to nothing on a full disk. */
  known: KnownRun
  /** The run of another supervisor that we have claimed in place of its shim. */
  claimed: number
  /** When the main process was last seen alive, in clock ticks since boot. */
  seenAlive: number
  /** When KILL is due, once it is being stopped, in ms of `Clock.elapsed`; and whether the stop signal has been sent. */
  killAt: number | undefined
  isSignalled: boolean
  /** Looks in a row that found nothing new: the next waits longer. */
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

/** Changes the record in memory. It is saved at the end of the look at the latest, and before an effect that relies on it. */
export function setRecord(service: Service, record: ServiceRecord): void {
  if (record.phase !== service.record.phase) service.looks = 0
  service.record = record
  service.isSaved = false
}

/**
 * Saves the record without a sync: it has to survive the supervisor, and the kernel keeps it for that. When the machine
 * crashes, the runs that it tells of are gone as well, and the next boot asks `enabled`, which is synced.
 * Throws ReeveError.
 */
function saveRecord(service: Service, { host, layout, told }: Context): void {
  const temporary = temporaryRecordPath(layout, service.name)
  // There is one only if a supervisor was killed right there.
  if (host.facts(temporary)) host.removeFile(temporary)
  host.appendFile(temporary, formatRecord(service.record), { mode: 0o600 })
  host.moveFile(temporary, recordPath(layout, service.name))
  service.isSaved = true
  if (!service.isHeldBack) return
  service.isHeldBack = false
  told()
}

/** What is to be done goes on in any case: a full disk must keep no service from being stopped, nor from being started. */
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

/** False if it is another error. */
export function noteUnwritable(error: unknown, { layout: { directory }, unwritable }: Context): boolean {
  if (!isUnwritable(error)) return false
  const cause = error instanceof ReeveError ? error.cause : error
  unwritable.failed(directory, createFailure(`write to ${directory}`, cause, { path: directory }).message)
  return true
}

/** Has the service looked at again in so many milliseconds, or earlier if something happens. */
export function wakeIn(service: Service, duration: number, { clock, wake }: Context): void {
  service.timer?.[Symbol.dispose]()
  service.timer = clock.after(Math.max(1, duration), () => wake(service.name))
}

/** As `wakeIn`, soon at first and less and less often, from 2 ms up to `most`. */
export function lookAgain(service: Service, most: number, context: Context): void {
  wakeIn(service, Math.min(2 ** (1 + Math.min(service.looks, 20)), most), context)
  service.looks += 1
}
