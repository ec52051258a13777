import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { readinessOf } from '../state/readiness.ts'
import { locationKey, type Snapshot } from '../state/snapshot.ts'
import { dependenciesFirst } from './dependency-order.ts'
import type { PlanContext } from './plan-input.ts'
import type { FacilityPlan } from './step.ts'
import { chainSteps, endingSteps, findStart } from './step-builder.ts'

/**
 * Blocks facilities that would be started after a dependency that cannot be started in this plan, and names it. `losing`: facilities
 * whose services are about to be removed, though they may still run, and why.
 */
export function blockDependents(
  plans: readonly FacilityPlan[],
  losing: ReadonlyMap<string, string>,
  { targets, snapshot }: PlanContext,
): FacilityPlan[] {
  const byName = new Map(targets.map(target => [target.facility.name, target]))
  const result = new Map(plans.map(plan => [plan.name, plan]))
  /** Root cause of each facility that is blocked here: named once, however long the chain. */
  const causes = new Map<string, string>()
  for (const name of dependenciesFirst(new Map(targets.map(({ facility }) => [facility.name, facility.dependsOn])))) {
    const plan = result.get(name)
    if (!plan || !findStart(plan.steps)) continue
    for (const dependency of byName.get(name)?.facility.dependsOn ?? []) {
      const loss = losing.get(dependency)
      const why =
        loss === undefined
          ? whyNotStarted(byName.get(dependency), result.get(dependency), snapshot)
          : `is about to lose its service: ${loss}`
      if (why === undefined) continue
      const cause = causes.get(dependency) ?? `${dependency}, which ${why}`
      const through = causes.has(dependency) ? `${dependency}, which waits for ${cause}` : cause
      causes.set(name, cause)
      result.set(name, withBlocker(plan, `it depends on ${through}`))
      break
    }
  }
  return [...result.values()]
}

/** Blocks a plan: only stops and disables stay; it neither renames the facility nor releases files. */
export function withBlocker({ name, supervisor, service, ...plan }: FacilityPlan, blocked: string): FacilityPlan {
  const steps = endingSteps(plan.steps)
  return { name, supervisor, service, change: steps.length === 0 ? 'none' : plan.change, steps, blocked }
}

/**
 * Takes back the stops and disables of blocked facilities whose services lack Reeve's marker: what is still to be adopted, or whose
 * definition was deleted, is left alone (E8).
 */
export function spareUnowned(plans: readonly FacilityPlan[], { targets, owned }: PlanContext): FacilityPlan[] {
  const defined = new Set(targets.flatMap(({ facility, definition }) => (definition ? facility.name : [])))
  return plans.map(plan => {
    if (plan.blocked === undefined || !defined.has(plan.name) || owned.has(locationKey(plan))) return plan
    return withHalt(plan, plan.blocked)
  })
}

/** The steps on the old services of a move alone, for a service that needs none: it is about to be absent, as declared. */
export function withOldStepsOnly(plan: FacilityPlan): FacilityPlan {
  const { name, supervisor, service } = plan
  const old = plan.steps.filter(({ target }) => target !== undefined)
  if (old.length === 0) return { name, supervisor, service, change: 'none', steps: [] }
  return { ...plan, steps: chainSteps(old) }
}

/** Blocks a plan without any steps. */
export function withHalt({ name, supervisor, service }: FacilityPlan, blocked: string): FacilityPlan {
  return { name, supervisor, service, change: 'none', steps: [], blocked }
}

/** Why the dependency won't be started. Undefined also if it isn't in this pass: the executor waits for it. */
function whyNotStarted(
  target: ResolvedFacility | undefined,
  plan: FacilityPlan | undefined,
  snapshot: Snapshot,
): string | undefined {
  if (!target || !plan) return undefined
  const { facility } = target
  // Even if it still runs: else a crash would decide what runs in the end (E4).
  if (facility.state === 'stopped') return 'is declared stopped'
  if (isServing(target, snapshot)) return undefined
  if (plan.blocked !== undefined) return `is blocked: ${plan.blocked}`
  const observed = snapshot.services.get(locationKey(facility))
  if (facility.suspend && !readinessOf(facility, observed, 'none', Number.POSITIVE_INFINITY).ready) {
    return 'is suspended and not ready'
  }
  if (observed?.state === 'failed' && facility.state === 'running' && !findStart(plan.steps))
    return 'has failed for good: its restart policy is never'
  return undefined
}

function isServing({ facility }: ResolvedFacility, snapshot: Snapshot): boolean {
  const observed = snapshot.services.get(locationKey(facility))
  return observed?.state === 'running' || observed?.completed === true
}
