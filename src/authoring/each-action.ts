import type { Clock } from '../core/contracts/clock.ts'
import type { Action, ActionResult, Report, ServiceVerb } from '../core/contracts/provider.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { abortionOf, failureOf } from './action-report.ts'

/** Default number of actions under way at once: each may have files open, or a tool running. */
const usualLimit = 32

/** Default interval in ms at which a condition is checked. */
const usualInterval = 50

/** One action under way. */
export interface Task extends Action {
  /**
   * Wait: resolves once the condition holds, which is checked now and every `interval`. When the action is aborted or the deadline is over,
   * it is checked a last time; then this rejects with ReeveError, `aborted` or `failed`. A condition that rejects with ReeveError
   * `unavailable` doesn't hold yet: the supervisor may be reloading. A waiting action doesn't count in `atOnce`.
   */
  waitUntil(condition: () => boolean | Promise<boolean>, options?: WaitOptions): Promise<void>
}

export interface WaitOptions {
  /** Time limit in ms. Absent: until the action is aborted. */
  readonly deadline?: number
  /** Interval in ms. Default: 50. */
  readonly interval?: number
  /** End of the error "waited 10 s in vain for …". Default: the verb and its service. */
  readonly what?: string
}

/** Function that carries out one action, which has failed if this throws or rejects. */
export type Act = (task: Task) => void | Promise<void>

/** Function for each verb. Without `restart` it is `stop` and then `start`; without `reload` it fails. */
export type VerbActs = Readonly<Record<Exclude<ServiceVerb, 'restart' | 'reload'>, Act>> &
  Readonly<Partial<Record<'restart' | 'reload', Act>>>

export interface EachActionOptions {
  readonly clock: Clock
  /** Number of actions under way at once, in all batches, except those that wait by `waitUntil`. Default: 32. */
  readonly atOnce?: number
}

/**
 * Creates `Applier.apply` from a function for one action, or one for each verb. The actions of a batch are carried out side by side, and
 * each is reported once; an aborted one doesn't begin.
 */
export function eachAction(
  act: Act | VerbActs,
  { clock, atOnce = usualLimit }: EachActionOptions,
): (actions: readonly Action[], report: Report) => Promise<void> {
  const turns = createTurns(atOnce)
  const actOnce = typeof act === 'function' ? act : (task: Task): void | Promise<void> => findAct(act, task.verb)(task)

  async function carryOut(action: Action): Promise<ActionResult> {
    const { id, signal } = action
    await turns.take(signal)
    try {
      signal.throwIfAborted()
      await actOnce({ ...action, waitUntil: (condition, options = {}) => waitUntil(action, condition, options) })
      return { id, ok: true }
    } catch (error) {
      return failureOf(action, signal.aborted ? abortionOf(action, error) : error)
    } finally {
      turns.end()
    }
  }

  async function waitUntil(
    { verb, service, signal }: Action,
    condition: () => boolean | Promise<boolean>,
    { deadline = Number.POSITIVE_INFINITY, interval = usualInterval, what = `the ${verb} of ${service}` }: WaitOptions,
  ): Promise<void> {
    const end = clock.elapsed() + deadline
    let cause: unknown
    const holds = async (): Promise<boolean> => {
      try {
        return await condition()
      } catch (error) {
        if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
        cause = error
        return false
      }
    }
    while (!(await holds())) {
      signal.throwIfAborted()
      const left = end - clock.elapsed()
      if (left <= 0) throw new ReeveError('failed', `waited ${deadline / 1_000} s in vain for ${what}`, { cause })
      turns.end()
      await clock.sleep(Math.min(interval, left), signal).catch(() => {}) // aborted: asked a last time
      await turns.take(signal)
    }
  }

  return async (actions, report) => {
    await Promise.all(actions.map(async action => report(await carryOut(action))))
  }
}

function findAct(acts: VerbActs, verb: ServiceVerb): Act {
  const found = acts[verb]
  if (found) return found
  if (verb === 'reload') throw new ReeveError('failed', 'its supervisor knows no reload; restart it')
  return async task => {
    await acts.stop(task)
    await acts.start(task)
  }
}

interface Turns {
  take(signal: AbortSignal): Promise<void>
  end(): void
}

/** Turns for a number of actions at once, in order of arrival. An aborted action has nothing left to do, and doesn't wait. */
function createTurns(most: number): Turns {
  let free = most
  const waiting = new Set<() => void>()
  return {
    async take(signal) {
      if (free <= 0 && !signal.aborted) {
        await new Promise<void>(resolve => {
          const begin = (): void => {
            waiting.delete(begin)
            signal.removeEventListener('abort', begin)
            free -= 1
            resolve()
          }
          waiting.add(begin)
          signal.addEventListener('abort', begin, { once: true })
        })
      } else free -= 1
    },
    end() {
      free += 1
      if (free > 0) waiting.values().next().value?.()
    },
  }
}
