import type { Step } from '../../core/plan/step.ts'
import { participles } from '../../core/plan/verb.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Lane, Outcome } from './lane.ts'

/** Waits of steps: for steps of other lanes, and for readiness of facilities. */
export interface Waiting {
  /** Makes the lane's steps known to other lanes. */
  add(lane: Lane): void
  /** Forgets the steps of all lanes. */
  clear(): void
  /** Resolves when all steps of other lanes that this step needs are done; throws ReeveError `failed` if one was not. */
  forNeeds(lane: Lane, step: Step): Promise<void>
  /** Resolves when all dependencies of the lane's facility are ready. */
  forDependencies(lane: Lane): Promise<void>
  /** Resolves when the new service of a move is ready. */
  forMoved(lane: Lane): Promise<void>
}

export interface WaitingOptions {
  /**
   * Resolves when the facility is ready; rejects if it fails, or on abort. A dependency has to run; the new service of a
   * move has to become ready within its startup timeout. `waiting`: the facility whose lane waits.
   */
  whenReady(facility: string, signal: AbortSignal, as: 'dependency' | 'moved', waiting: string): Promise<void>
}

export function createWaiting({ whenReady }: WaitingOptions): Waiting {
  /** `end`: what is waited for, as in `web to be stopped`. */
  const known = new Map<string, { readonly outcome: Promise<Outcome> | undefined; readonly end: string }>()

  async function forReady(lane: Lane, name: string, as: 'dependency' | 'moved'): Promise<void> {
    lane.waitsFor(`${name} to become ready`)
    try {
      await whenReady(name, lane.signal, as, lane.work.plan.name)
    } catch (cause) {
      if (lane.signal.aborted) throw cause
      throw new ReeveError('failed', `${name} did not become ready: ${messageOf(cause)}`, { cause })
    }
  }

  return {
    add(lane) {
      const { name, steps } = lane.work.plan
      for (const { id, verb } of steps) {
        known.set(id, { outcome: lane.outcome(id), end: `${name} to be ${participles[verb]}` })
      }
    },
    clear: () => known.clear(),
    async forNeeds(lane, step) {
      for (const id of step.needs) {
        const needed = known.get(id)
        if (!needed?.outcome || lane.outcome(id)) continue
        lane.waitsFor(needed.end)
        const outcome = await abortable(needed.outcome, lane.signal)
        if (outcome === 'done') continue
        const how = outcome === 'failed' ? 'tried and failed' : outcome
        throw new ReeveError('failed', `${step.id} needs ${id}, which was ${how}`)
      }
    },
    async forDependencies(lane) {
      for (const name of lane.work.target?.facility.dependsOn ?? []) await forReady(lane, name, 'dependency')
    },
    forMoved: lane => forReady(lane, lane.work.plan.name, 'moved'),
  }
}
