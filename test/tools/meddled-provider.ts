import { processProvider } from '../../providers/process/index.ts'
import type { Action, Applier, Observer, Provider } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import { type Clock, createClock } from '../../src/host/clock.ts'
import { withApplier, withObserver } from './opened-provider.ts'

/** How many looks are remembered. */
const MOST_STALE = 5

/** Late hints come up to so much later, each by so much less than the one before: in ms. */
const LATEST = 2_000
const LATE_BY = 700

/** A provider in hands that mislead: what it is asked is counted, and what it says can be bent. */
export interface Meddled {
  readonly provider: Provider
  /** How often it was asked whether it is there: once for each pass and instance. */
  probes: number
  /** What becomes of its hints. `late`: they come in another order. */
  hints: 'kept' | 'lost' | 'doubled' | 'late'
  /** What is said of a service is what was seen so many looks ago. */
  stale: number
  /** What becomes of actions. `ignored`: said to be done, and isn't; `denied`: is done, and said to have failed. */
  actions: 'done' | 'ignored' | 'denied'
  /** Called before an action is handed on: a promise holds it up, a rejection fails the batch. */
  before(action: Action): Promise<void> | void
  /** Called before it is looked at. */
  look(): Promise<void> | void
  /** What is said to have been observed. */
  bend(observed: Observed): Observed
}

export function createMeddledProvider(
  real: Provider = processProvider,
  clock: Pick<Clock, 'after'> = createClock(),
): Meddled {
  /** What was seen of each service, the newest last. */
  const seen = new Map<string, Observed[]>()

  function recall(key: string, observed: Observed): Observed {
    const before = seen.get(key) ?? []
    seen.set(key, [...before, observed].slice(-MOST_STALE - 1))
    return meddled.stale === 0 ? observed : (before.at(-meddled.stale) ?? before[0] ?? observed)
  }

  let late = 0
  const meddled: Meddled = {
    probes: 0,
    hints: 'kept',
    stale: 0,
    actions: 'done',
    before() {},
    look() {},
    bend: observed => observed,
    provider: withApplier(withObserver(real, meddleObserver), meddleApplier),
  }

  function meddleObserver({ probe, observe, watch }: Observer, instance: Instance): Partial<Observer> {
    return {
      async probe() {
        meddled.probes += 1
        await meddled.look()
        return probe()
      },
      async observe(services) {
        const found = await observe(services)
        return new Map(
          [...found].map(([name, observed]) => [name, meddled.bend(recall(`${instance.name}/${name}`, observed))]),
        )
      },
      watch(hint) {
        const pass = (service?: string): void => {
          if (meddled.hints === 'lost') return
          if (meddled.hints === 'late') {
            late = (late + LATE_BY) % LATEST
            clock.after(LATEST - late, () => hint(service))
            return
          }
          hint(service)
          if (meddled.hints === 'doubled') clock.after(30, () => hint(service))
        }
        return watch?.(pass) ?? { [Symbol.dispose]() {} }
      },
    }
  }

  function meddleApplier({ apply }: Applier): Partial<Applier> {
    return {
      async apply(actions, report) {
        await Promise.all(
          actions.map(async action => {
            await meddled.before(action)
            const { id } = action
            if (meddled.actions === 'ignored') return report({ id, ok: true })
            const isDenied = meddled.actions === 'denied'
            const error = new ReeveError('failed', 'it says that it failed')
            await apply([action], isDenied ? () => report({ id, ok: false, error }) : report)
          }),
        )
      },
    }
  }

  return meddled
}
