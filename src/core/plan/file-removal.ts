import { decideRemoval } from '../state/file-claim.ts'
import { placeOf } from '../state/place.ts'
import type { Location, OwnedLocation } from '../state/snapshot.ts'
import type { PlanContext } from './plan-input.ts'
import type { Reason } from './reason.ts'
import type { StepBuilder } from './step-builder.ts'

/**
 * Removes configuration files that the marker at a location names and no manifest declares any more, or restores them as they were
 * before their adoption. Files with other content than Reeve wrote are kept, and the plan says so (E19).
 */
export function planFileRemovals(
  { ownership }: Pick<OwnedLocation, 'ownership'>,
  reason: Reason,
  elsewhere: { readonly target?: Location },
  { snapshot, declaredFiles, claims }: Pick<PlanContext, 'snapshot' | 'declaredFiles' | 'claims'>,
  chain: StepBuilder,
): void {
  for (const path of ownership.files) {
    if (declaredFiles.has(placeOf(path, snapshot))) continue
    const removal = decideRemoval(claims?.get(path), snapshot.files.get(path))
    if (removal.kind === 'keep') chain.keep({ path, why: removal.why })
    else chain.add(removal.kind === 'restore' ? 'restore-file' : 'remove-file', reason, { path, ...elsewhere })
  }
}
