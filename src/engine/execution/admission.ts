import type { Log } from '../../core/contracts/log.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { hasAnnounced } from '../../core/plan/claim-keeping.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'

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
