import type { Clock } from '../core/contracts/clock.ts'
import type { Action, ActionResult, Report, ServiceVerb } from '../core/contracts/provider.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { abortionOf, failureOf } from './action-report.ts'

/** How many actions are under way at once, where the author doesn't say: each may have files open, or a tool running. */
const usualLimit = 32

/** How often a condition is looked at, in ms, where the author doesn't say. */
const usualInterval = 50

/** One action under way. */
export interface Task extends Action {
  /**
   * Resolves once the condition holds, which is asked now and then every `interval`. When the action isn't wanted any more, or the
   * deadline is over, it is asked a last time; then this throws ReeveError, `aborted` or `failed`. What waits so keeps no other action
   * from its turn.
   */
  waitUntil(condition: () => boolean | Promise<boolean>, options?: WaitOptions): Promise<void>
}

export interface WaitOptions {
  /** How long it may take, in ms. Absent: as long as the action is wanted. */
  readonly deadline?: number
  /** In ms. Absent: 50. */
  readonly interval?: number
  /** For the error at the deadline: ends the sentence "waited 10 s in vain for …". Absent: the verb and its service. */
  readonly what?: string
}

/** Carries out one action; it has failed if this throws, or what it gives rejects. */
export type Act = (task: Task) => void | Promise<void>

/** What each verb does. Absent: `restart` is `stop` and then `start`, and `reload` fails. */
export type VerbActs = Readonly<Record<Exclude<ServiceVerb, 'restart' | 'reload'>, Act>> &
  Readonly<Partial<Record<'restart' | 'reload', Act>>>

export interface EachActionOptions {
  readonly clock: Clock
  /** How many actions may be under way at once, of all batches; those that wait by `waitUntil` aren't counted. Absent: 32. */
  readonly atOnce?: number
}

/**
 * Makes `Applier.apply` of what one action does. The actions of a batch are carried out side by side, and each is reported once, by
 * how its own went; one that isn't wanted any more doesn't begin.
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
    while (!(await condition())) {
      signal.throwIfAborted()
      const left = end - clock.elapsed()
      if (left <= 0) throw new ReeveError('failed', `waited ${deadline / 1_000} s in vain for ${what}`)
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

/** So many at once, in the order in which they come. What isn't wanted any more has nothing left to do, and needs not wait. */
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
