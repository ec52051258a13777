import { processProvider } from '../../providers/process/index.ts'
import type { Action, Applier, Observer, Provider } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import { type Clock, createClock } from '../../src/host/clock.ts'
import { withApplier, withObserver } from './opened-provider.ts'

/** Number of remembered observations. */
const MOST_STALE = 5

/** Late hints are delayed by up to so much, each by less than the one before: in ms. */
const LATEST = 2_000
const LATE_BY = 700

/** Provider that misleads: its calls are counted, and its answers can be changed. */
export interface Meddled {
  readonly provider: Provider
  /** Number of probes: one for each pass and instance. */
  probes: number
  /** Handling of its hints. `late`: they arrive in another order. */
  hints: 'kept' | 'lost' | 'doubled' | 'late'
  /** Age of reported observations, in observations. */
  stale: number
  /** Handling of actions. `ignored`: reported as done, and isn't; `denied`: done, and reported as failed. */
  actions: 'done' | 'ignored' | 'denied'
  /** Called before an action is passed on: a promise delays it, a rejection fails the batch. */
  before(action: Action): Promise<void> | void
  /** Called before an observation. */
  look(): Promise<void> | void
  /** Observation to report. */
  bend(observed: Observed): Observed
}

export function createMeddledProvider(
  real: Provider = processProvider,
  clock: Pick<Clock, 'after'> = createClock(),
): Meddled {
  /** Observations of each service, the newest last. */
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
