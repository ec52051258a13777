import type { EngineEvent } from '../../core/contracts/engine-event.ts'
import type { WriteHost } from '../../core/contracts/host.ts'
import { abortable } from '../../host/abortable.ts'
import { currentOf, isBusy, isUnderWay, type RevisionRecord, type RolloutState, update } from './revision-record.ts'
import { readRolloutState, writeRolloutState } from './rollout-state.ts'

/** The state of the roll-out, on the disk before anything is done about it. */
export interface RolloutStore {
  state(): RolloutState
  save(next: RolloutState): void
  /** Counts the steps of what is under way. The next change of the outcome writes them down. */
  noted(event: EngineEvent): void
  /** Resolves once nothing is under way, also back, or `isGivenUp` at a change or a wake-up. */
  settled(signal: AbortSignal, isGivenUp: () => boolean): Promise<void>
  /** Has those who wait look again. */
  wake(): void
}

/** `told`: called with each record that has got another outcome. */
export function openRolloutStore(
  stateDirectory: string,
  host: WriteHost,
  told: (record: RevisionRecord) => void,
): RolloutStore {
  let state = readRolloutState(stateDirectory, host)
  const waiters = new Set<() => void>()

  function wakeAll(): void {
    for (const wake of waiters) wake()
    waiters.clear()
  }

  return {
    state: () => state,
    save(next) {
      if (next === state) return
      writeRolloutState(stateDirectory, next, host)
      const before = new Map(state.revisions.map(({ revision, outcome }) => [revision.commit, outcome]))
      state = next
      for (const record of next.revisions) if (before.get(record.revision.commit) !== record.outcome) told(record)
      wakeAll()
    },
    wake: wakeAll,
    noted(event) {
      const record = currentOf(state)
      if (event.type !== 'step-finished' || event.result !== 'done' || !record || !isUnderWay(record)) return
      state = update(state, record.revision.commit, one => ({ ...one, steps: one.steps + 1 }))
    },
    async settled(signal, isGivenUp) {
      while (isBusy(state) && !isGivenUp()) await abortable(new Promise<void>(resolve => waiters.add(resolve)), signal)
    },
  }
}
