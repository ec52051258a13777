import type { Log } from '../../core/contracts/log.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { hasAnnounced } from '../../core/plan/claim-keeping.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'

/**
 * False while the record on disk lacks what the plan is about to write and overwrite, as on a full disk: after a crash it would be
 * unknown whether Reeve wrote what is there (E19).
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

/** Logs files that are released without being removed, and those that cannot be restored later. */
export function logKept(plans: readonly FacilityPlan[], log: Log): void {
  for (const { name, kept = [], unkept = [] } of plans) {
    for (const { path, why } of kept) log.warn({ facility: name }, `${name}: ${path} is kept: ${why}`)
    for (const { path, why } of unkept) log.warn({ facility: name }, `${name}: no copy of ${path} is kept: ${why}`)
  }
}
