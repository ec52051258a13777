import { processProvider } from '../providers/process/index.ts'
import type { Observed } from '../src/core/observed.ts'
import type { Action, Provider } from '../src/core/provider.ts'

/** The built-in provider in hands that mislead: what it is asked is counted, and what it says can be bent. */
export interface Meddled {
  readonly provider: Provider
  /** How often it was asked whether it is there: once for each pass and instance. */
  probes: number
  /** What becomes of its hints. */
  hints: 'kept' | 'lost' | 'doubled'
  /** Called before an action is handed on: a promise holds it up, a rejection fails the batch. */
  before(action: Action): Promise<void> | void
  /** Called before it is looked at. */
  look(): Promise<void> | void
  /** What is said to have been observed. */
  bend(observed: Observed): Observed
}

export function createMeddledProvider(): Meddled {
  const meddled: Meddled = {
    probes: 0,
    hints: 'kept',
    before() {},
    look() {},
    bend: observed => observed,
    provider: {
      ...processProvider,
      async probe(instance, host) {
        meddled.probes += 1
        await meddled.look()
        return processProvider.probe(instance, host)
      },
      async observe(services, instance, host) {
        const found = await processProvider.observe(services, instance, host)
        return new Map([...found].map(([name, observed]) => [name, meddled.bend(observed)]))
      },
      async apply(actions, instance, host, report) {
        await Promise.all(
          actions.map(async action => {
            await meddled.before(action)
            await processProvider.apply([action], instance, host, report)
          }),
        )
      },
      watch(instance, host, hint) {
        const pass = (service?: string): void => {
          if (meddled.hints === 'lost') return
          hint(service)
          if (meddled.hints === 'doubled') setTimeout(() => hint(service), 30)
        }
        return processProvider.watch?.(instance, host, pass) ?? { [Symbol.dispose]() {} }
      },
    },
  }
  return meddled
}
