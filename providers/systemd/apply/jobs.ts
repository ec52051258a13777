import type { Bus, BusCall, BusSignal, WriteBus } from '../../../src/core/contracts/bus.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { busErrorName } from '../../../src/host/bus-error.ts'
import {
  type JobResult,
  lost,
  managerInterface,
  propertiesInterface,
  readProperty,
  subscribe,
  unitInterface,
} from '../bus/manager.ts'
import { pathOfUnit, unitOfPath } from '../units/unit-name.ts'

export interface JobOutcome {
  readonly result: JobResult
  /** True: a condition of the unit wasn't met, so nothing was started. systemd calls that `done`. */
  readonly isUnmet: boolean
}

/** Jobs of systemd, each followed to its end. */
export interface Jobs {
  /**
   * Makes the call that returns a job, and waits for the job. `conditional`: the unit, if it has conditions; for others
   * systemd doesn't report whether they were met. Throws ReeveError; `aborted` by the signal.
   */
  run(call: BusCall, signal: AbortSignal, conditional?: string): Promise<JobOutcome>
}

interface Waiting {
  tell(outcome: JobOutcome): void
  fail(error: unknown): void
}

/** Listens before the first call, so that no end is missed. */
export async function followJobs(bus: WriteBus): Promise<Jobs> {
  const ended = new Map<string, JobOutcome>()
  const waiting = new Map<string, Waiting>()
  /** Last report of systemd on the conditions of a unit: before it ends a job, it reports the unit's state. */
  const conditions = new Map<string, boolean>()
  const conditional = new Map<string, Promise<void>>()

  function hear({ member, path, body }: BusSignal): void {
    if (member === 'PropertiesChanged') hearOfUnit(unitOfPath(path) ?? '', body)
    if (member !== 'JobRemoved') return
    const [, job, unit, result] = body.map(String)
    if (job === undefined || unit === undefined || result === undefined) return
    const outcome = { result, isUnmet: conditions.get(unit) === false }
    const waits = waiting.get(job)
    if (waits) waits.tell(outcome)
    else ended.set(job, outcome)
  }

  function hearOfUnit(unit: string, [of, changed]: readonly unknown[]): void {
    if (of !== unitInterface || !conditional.has(unit) || !Array.isArray(changed)) return
    for (const [name, value] of changed) if (name === 'ConditionResult') conditions.set(unit, value === true)
  }

  await bus.listen(`type='signal',interface='${managerInterface}',member='JobRemoved'`, hear)
  await subscribe(bus)

  function listenToConditions(unit: string): Promise<void> {
    const from = `interface='${propertiesInterface}',path='${pathOfUnit(unit)}',arg0='${unitInterface}'`
    const known = conditional.get(unit)
    if (known) return known
    // `hear` is already listening: this only makes the bus send more.
    const listening = bus.listen(`type='signal',${from}`, () => {})
    conditional.set(unit, listening)
    return listening
  }

  /** Results of jobs while nobody listened: those that systemd no longer knows have ended, with an unknown result. */
  async function lookAgain(): Promise<void> {
    await subscribe(bus)
    for (const [path, { tell }] of waiting) {
      if (!(await isUnderWay(path, bus))) tell({ result: lost, isUnmet: false })
    }
  }

  function wait(path: string, signal: AbortSignal): Promise<JobOutcome> {
    const outcome = ended.get(path)
    if (outcome) return Promise.resolve(outcome)
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        waiting.delete(path)
        signal.removeEventListener('abort', abort)
      }
      const fail = (error: unknown): void => {
        settle()
        reject(error)
      }
      const abort = (): void => fail(new ReeveError('aborted', 'not waited for any longer', { cause: signal.reason }))
      const tell = (found: JobOutcome): void => {
        settle()
        resolve(found)
      }
      waiting.set(path, { tell, fail })
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) abort()
    })
  }

  function failAll(error: unknown): void {
    for (const { fail } of waiting.values()) fail(error)
  }

  bus.onConnection(isConnected => {
    if (isConnected) lookAgain().catch(failAll)
  })
  void bus.ended.then(() =>
    failAll(new ReeveError('unavailable', 'the connection to systemd has ended; the outcome is unknown')),
  )

  return {
    async run(call, signal, unit) {
      if (signal.aborted) throw new ReeveError('aborted', 'not begun, as it is not wanted', { cause: signal.reason })
      if (unit !== undefined) {
        await listenToConditions(unit)
        // Conditions of an active unit are not checked.
        conditions.delete(unit)
      }
      const [path] = await bus.call(call)
      return wait(String(path), signal)
    },
  }
}

/** Jobs keep their names when systemd re-executes itself. */
async function isUnderWay(job: string, bus: Bus): Promise<boolean> {
  try {
    await readProperty(bus, job, 'Job', 'State')
    return true
  } catch (error) {
    if (busErrorName(error) === 'org.freedesktop.DBus.Error.UnknownObject') return false
    throw error
  }
}
