import { type RolloutConfiguration, unavailableLimit } from '../../core/model/rollout.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import type { Progress } from './judgement.ts'
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
  const begun = [...facilities].filter(([, { begunAt, isHealthy }]) => begunAt !== undefined && !isHealthy)
  const unavailable = new Set(begun.map(([name]) => name))
  const limit = unavailableLimit(rules)
  if (isUnderWay(record)) return Number.isFinite(limit) ? { changed, unavailable, limit } : undefined
  return record.isHeld ? { changed, unavailable, limit: 0 } : undefined
}
