import { decideRemoval } from './file-claim.ts'
import { placeOf } from './place.ts'
import type { PlanContext } from './plan-input.ts'
import type { Reason } from './step.ts'
import type { StepChain } from './step-chain.ts'
import type { Location, OwnedLocation } from './world.ts'

/**
 * Removes the configuration files that the marker at a location names and nobody declares any more, or puts back what was there
 * before they were adopted. What isn't, by its content, what Reeve wrote is kept, and the plan says so (E19).
 */
export function planFileRemovals(
  { ownership }: Pick<OwnedLocation, 'ownership'>,
  reason: Reason,
  elsewhere: { readonly target?: Location },
  { world, declaredFiles, claims }: Pick<PlanContext, 'world' | 'declaredFiles' | 'claims'>,
  chain: StepChain,
): void {
  for (const path of ownership.files) {
    if (declaredFiles.has(placeOf(path, world))) continue
    const removal = decideRemoval(claims?.get(path), world.files.get(path))
    if (removal.kind === 'keep') chain.keep({ path, why: removal.why })
    else chain.add(removal.kind === 'restore' ? 'restore-file' : 'remove-file', reason, { path, ...elsewhere })
  }
}
