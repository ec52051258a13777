import type { Facility, Health } from '../../src/core/model/facility.ts'
import type { Observed, ServiceState } from '../../src/core/state/observed.ts'
import { createHealthTracker, type HealthTracker } from '../../src/engine/health/health-tracker.ts'
import type { ProbeResult } from '../../src/engine/health/probe-result.ts'
import type { WaitOptions } from '../../src/engine/health/readiness-wait.ts'
import { createManualClock, type ManualClock } from '../tools/manual-clock.ts'
import { type Declaration, makeFacility } from './declaration.ts'

export const health: Health = {
  check: { type: 'exec', command: ['/bin/true'] },
  interval: 1_000,
  timeout: 500,
  failureThreshold: 3,
  startupTimeout: 5_000,
  onFailure: 'report',
}

export interface HealthBench extends Disposable {
  readonly clock: ManualClock
  readonly tracker: HealthTracker
  readonly changed: string[]
  /** Findings of the next observations and probes. */
  answer: ProbeResult
  readonly states: Map<string, Observed>
  /** Supervisors that don't answer any more. */
  readonly hanging: Set<string>
  probes: number
  /** Number of observations. */
  looks: number
  /** Reports a change to the listener, if there is one. */
  hint: ((service?: string) => void) | undefined
  declare(...declarations: Declaration[]): void
  /** Waits for readiness. `outcome`: `waits`, `ready`, or the message of its failure. */
  wait(facility: string, options: WaitOptions, signal?: AbortSignal): { readonly outcome: string }
  /** Sets what the next observation of `web` finds. */
  update(observed: Observed): void
}

/** A health tracker on a manual clock, over observations and probes of the test. */
export function createHealthBench(): HealthBench {
  const clock = createManualClock()
  const changed: string[] = []
  const bench: HealthBench = {
    clock,
    changed,
    answer: { healthy: true },
    states: new Map(),
    hanging: new Set(),
    probes: 0,
    looks: 0,
    hint: undefined,
    tracker: createHealthTracker({
      clock,
      watch(_supervisor, hint) {
        bench.hint = hint
        return {
          [Symbol.dispose]() {
            bench.hint = undefined
          },
        }
      },
      async observe(facilities: readonly Facility[]) {
        bench.looks += 1
        const [first] = facilities
        if (first && bench.hanging.has(first.supervisor)) return new Promise(() => {})
        const found = new Map<string, Observed>()
        for (const { name } of facilities) {
          const one = bench.states.get(name)
          if (!one) throw new Error(`${name} cannot be seen`)
          found.set(name, one)
        }
        return found
      },
      async probe() {
        bench.probes += 1
        return bench.answer
      },
      changed: name => changed.push(name),
    }),
    declare: (...declarations) => bench.tracker.track(declarations.map(makeFacility)),
    update: found => bench.tracker.update('web', found, clock.now()),
    wait: (facility, options, signal = new AbortController().signal) =>
      follow(bench.tracker.whenReady(facility, signal, options)),
    [Symbol.dispose]: () => bench.tracker[Symbol.dispose](),
  }
  return bench
}

/** Observation of the service `web`. */
export function observed(state: ServiceState, pid?: number, since = 0): Observed {
  return { service: 'web', state, enabled: true, supervised: true, since, ...(pid === undefined ? {} : { pid }) }
}

/** State of a wait by now. */
function follow(promise: Promise<void>): { outcome: string } {
  const followed = { outcome: 'waits' }
  promise.then(
    () => {
      followed.outcome = 'ready'
    },
    (error: unknown) => {
      followed.outcome = error instanceof Error ? error.message : String(error)
    },
  )
  return followed
}
