import type { FacilityPlan } from './step.ts'

/** Additional needs, by step id. */
export type MoreNeeds = ReadonlyMap<string, ReadonlySet<string>>

/** Steps in a cycle of needs, or between two cycles. */
export function findStepCycles(plans: readonly FacilityPlan[], more: MoreNeeds): Set<string> {
  const needs = new Map<string, Set<string>>()
  const neededBy = new Map<string, Set<string>>()
  for (const { id } of plans.flatMap(({ steps }) => steps)) {
    needs.set(id, new Set())
    neededBy.set(id, new Set())
  }
  for (const { steps } of plans) {
    for (const step of steps) {
      for (const need of [...step.needs, ...(more.get(step.id) ?? [])]) {
        if (!needs.has(need)) continue
        needs.get(step.id)?.add(need)
        neededBy.get(need)?.add(step.id)
      }
    }
  }
  const rest = new Set(needs.keys())
  trim(rest, needs, neededBy)
  trim(rest, neededBy, needs)
  return rest
}

/** Removes steps without incoming edges, repeatedly. */
function trim(
  rest: Set<string>,
  incoming: ReadonlyMap<string, ReadonlySet<string>>,
  outgoing: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  const open = new Map<string, number>()
  const free: string[] = []
  for (const id of rest) {
    const count = [...(incoming.get(id) ?? [])].filter(other => rest.has(other)).length
    open.set(id, count)
    if (count === 0) free.push(id)
  }
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    rest.delete(id)
    for (const other of outgoing.get(id) ?? []) {
      if (!rest.has(other)) continue
      const count = (open.get(other) ?? 0) - 1
      open.set(other, count)
      if (count === 0) free.push(other)
    }
  }
}
