import type { Log } from '../../src/core/log.ts'
import type { WriteHost } from '../../src/core/provider.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import type { Clock } from '../../src/host/clock.ts'
import type { ServiceDefinition } from './definition.ts'
import { type Layout, recordPath } from './layout.ts'
import { formatRecord, type ServiceRecord } from './service-record.ts'
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
  /** In [0, 1). */
  random(): number
  /** Has the service looked at again soon. */
  wake(service: string): void
}

/** A service as the supervisor holds it. What isn't in `record` may be lost with the supervisor at any time. */
export interface Service {
  readonly name: string
  record: ServiceRecord
  /** False: the record couldn't be saved, and is to be tried again. */
  isSaved: boolean
  definition: ServiceDefinition
  /** Counts the starts tried by this supervisor, and what came of the last one. */
  attempts: number
  attempt: 'under way' | 'executed' | 'failed'
  /** The command line of the newest run, if this supervisor started it. */
  chain: readonly string[] | undefined
  /** The newest run whose shim is a child of ours, and the newest of those that has ended. */
  spawned: number
  shimEnded: number
  /** The run of another supervisor that we have claimed in place of its shim. */
  claimed: number
  /** When the main process was last seen alive, in clock ticks since boot. */
  seenAlive: number
  /** When KILL is due, once it is being stopped, in ms since 1970; and whether the stop signal has been sent. */
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
    isSaved: true,
    definition,
    attempts: 0,
    attempt: 'executed',
    chain: undefined,
    spawned: 0,
    shimEnded: 0,
    claimed: 0,
    seenAlive: 0,
    killAt: undefined,
    isSignalled: false,
    looks: 0,
    timer: undefined,
  }
}

/**
 * Saves the record without a sync: it has to survive the supervisor, and the kernel keeps it for that. When the machine
 * crashes, the runs that it tells of are gone as well, and the next boot asks `enabled`, which is synced.
 * Throws ReeveError.
 */
export function saveRecord(service: Service, record: ServiceRecord, { host, layout }: Context): void {
  const path = recordPath(layout, service.name)
  const temporary = `${layout.state}/.${service.name}.tmp`
  host.removeFile(temporary)
  host.appendFile(temporary, formatRecord(record), { mode: 0o600 })
  host.moveFile(temporary, path)
  service.record = record
  service.isSaved = true
}

/** As `saveRecord`, for what has happened or has to happen in any case: a full disk must not keep a service from stopping. */
export function setRecord(service: Service, record: ServiceRecord, context: Context): void {
  const { phase } = service.record
  try {
    saveRecord(service, record, context)
  } catch (error) {
    service.record = record
    service.isSaved = false
    context.log.error({ service: service.name }, `its state could not be saved: ${messageOf(error)}`)
  }
  if (record.phase !== phase) service.looks = 0
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
