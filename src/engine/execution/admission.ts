import type { Log } from '../../core/contracts/log.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { hasAnnounced } from '../../core/plan/claim-keeping.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { bringsUp } from '../../core/plan/step-builder.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'

/**
 * Of the plans that could begin now, those that may. A step waits for those that it needs of other facilities (E13);
 * while such a facility has to wait itself (for its next try, or for its removal to be certain), the plan must not
 * begin, for the executor only knows of what is under way. It may where it needs a start only: then it waits for the
 * facility to become ready, whoever starts it.
 */
export function deferOvertaking(
  ready: readonly FacilityPlan[],
  all: readonly FacilityPlan[],
): { readonly begin: readonly FacilityPlan[]; readonly deferred: readonly FacilityPlan[] } {
  const holders = new Map<string, string>()
  for (const plan of all) for (const step of plan.steps) if (!bringsUp(step)) holders.set(step.id, plan.name)
  const starting = new Set(ready.map(plan => plan.name))
  const mustWait = (step: Step): boolean =>
    step.needs.some(id => {
      const holder = holders.get(id)
      return holder !== undefined && !starting.has(holder)
    })
  for (let size = -1; size !== starting.size; ) {
    size = starting.size
    for (const plan of ready) if (starting.has(plan.name) && plan.steps.some(mustWait)) starting.delete(plan.name)
  }
  return {
    begin: ready.filter(plan => starting.has(plan.name)),
    deferred: ready.filter(plan => !starting.has(plan.name)),
  }
}

/**
 * E19: false while what the plan writes, and what it overwrites, isn't in the record on disk, as on a full disk: after a crash nobody would know
 * whether what is there then was written by Reeve.
 */
export function mayWrite(
  plan: FacilityPlan,
  { onDisk, wanted }: { readonly onDisk: FileClaims; readonly wanted: FileClaims },
  target: ResolvedFacility | undefined,
  log: Log,
): boolean {
  const may = hasAnnounced(onDisk, plan, target, wanted)
  if (!may) log.warn({ facility: plan.name }, `${plan.name}: waits till the state directory can be written`)
  return may
}

/** Files that Reeve lets go of without removing them, and those that it can't put back later. */
export function logKept(plans: readonly FacilityPlan[], log: Log): void {
  for (const { name, kept = [], unkept = [] } of plans) {
    for (const { path, why } of kept) log.warn({ facility: name }, `${name}: ${path} is kept: ${why}`)
    for (const { path, why } of unkept) log.warn({ facility: name }, `${name}: no copy of ${path} is kept: ${why}`)
  }
}
