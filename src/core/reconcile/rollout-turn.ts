import type { FacilityPlan } from '../plan/step.ts'
import { findOvertaking } from './overtaking.ts'

/** Which facilities may not begin now, as a revision is carried out bit by bit, or not any further. */
export interface RolloutGate {
  /** Those that the revision changes. Others may begin. */
  readonly changed: ReadonlySet<string>
  /** Those of them that have become healthy. */
  readonly healthy: ReadonlySet<string>
  /** Those of them about which something has been done: they may be tried again. */
  readonly begun: ReadonlySet<string>
  /** How many may be unavailable at one time; 0: nothing more begins. */
  readonly limit: number
}

/** All that a plan is about, and what is under way besides. */
interface Turns {
  readonly facilities: readonly FacilityPlan[]
  readonly busy: ReadonlySet<string>
}

/** Names of the facilities whose steps have to wait, where nothing else is under way. */
export function findLater(
  { facilities }: { readonly facilities: readonly FacilityPlan[] },
  gate: RolloutGate | undefined,
): ReadonlySet<string> {
  if (!gate) return new Set()
  const ready = facilities.filter(({ steps }) => steps.length > 0)
  const later = findOutOfTurn(ready, { facilities, busy: new Set() }, gate)
  const inTurn = ready.filter(({ name }) => !later.has(name))
  return new Set([...later, ...findOvertaking(inTurn, facilities).map(({ name }) => name)])
}

/**
 * Names of the ready plans whose turn it isn't. Facilities that need each other's steps take their turn together, and one that needs
 * others comes after them; so what is bigger than the limit begins alone.
 */
export function findOutOfTurn(
  ready: readonly FacilityPlan[],
  { facilities, busy }: Turns,
  gate: RolloutGate | undefined,
): ReadonlySet<string> {
  if (!gate) return new Set()
  const { changed, healthy, begun, limit } = gate
  const isDone = ({ steps, blocked }: FacilityPlan): boolean => steps.length === 0 && blocked === undefined
  const done = facilities.filter(isDone).map(({ name }) => name)
  const unavailable = new Set([...busy, ...done, ...begun].filter(name => changed.has(name) && !healthy.has(name)))
  const candidates = ready.filter(({ name }) => changed.has(name) && !unavailable.has(name))
  if (limit === 0) return new Set(candidates.map(({ name }) => name))
  const groups = candidates.map(plan => findGroup(plan, candidates)).sort((left, right) => left.size - right.size)
  const chosen = new Set<string>()
  for (const group of groups) {
    const next = new Set([...unavailable, ...chosen, ...group])
    const isFirst = unavailable.size === 0 && chosen.size === 0
    if (next.size <= limit || isFirst) for (const name of group) chosen.add(name)
  }
  return new Set(candidates.map(({ name }) => name).filter(name => !chosen.has(name)))
}

/** The plan, and all others of which it needs a step, directly or by others. */
function findGroup(plan: FacilityPlan, others: readonly FacilityPlan[]): Set<string> {
  const owners = new Map(others.flatMap(other => other.steps.map(({ id }) => [id, other] as const)))
  const group = new Set<string>()
  const open = [plan]
  for (let next = open.pop(); next; next = open.pop()) {
    if (group.has(next.name)) continue
    group.add(next.name)
    for (const { needs } of next.steps) for (const id of needs) open.push(...[owners.get(id)].flatMap(one => one ?? []))
  }
  return group
}
