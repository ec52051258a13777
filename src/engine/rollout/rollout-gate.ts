import { type RolloutConfiguration, unavailableLimit } from '../../core/model/rollout.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import type { FacilityProgress, Progress } from './judgement.ts'
import { currentOf, isUnderWay, type RolloutState } from './revision-record.ts'

/** What may not begin now, as the revision in force is carried out bit by bit, or not any further. Undefined: everything may. */
export function findGate(
  state: RolloutState,
  { facilities }: Progress,
  rules: Pick<RolloutConfiguration, 'strategy'>,
): RolloutGate | undefined {
  const record = currentOf(state)
  if (!record) return undefined
  const changed = new Set(record.changed)
  const named = (isWanted: (progress: FacilityProgress) => boolean): ReadonlySet<string> =>
    new Set([...facilities].flatMap(([name, progress]) => (isWanted(progress) ? name : [])))
  const gate = {
    changed,
    healthy: named(({ isHealthy }) => isHealthy),
    begun: named(({ begunAt, isHealthy }) => begunAt !== undefined && !isHealthy),
  }
  const limit = unavailableLimit(rules)
  if (isUnderWay(record)) return Number.isFinite(limit) ? { ...gate, limit } : undefined
  return record.isHeld ? { ...gate, limit: 0 } : undefined
}
