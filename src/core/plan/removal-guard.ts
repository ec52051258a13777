import type { Snapshot } from '../state/snapshot.ts'
import type { Plan } from './step.ts'

export interface RemovalLimit {
  /** More removals than this … */
  readonly count: number
  /** … and than this part of all that is owned need a word more. */
  readonly fraction: number
}

/**
 * Stands between a plan and its execution (E9): a mistake in the source must not take a host down.
 * `owned` counts the facilities that Reeve owns on this host; `allowed` is what `--allow-removals` said. `command`: the one
 * that applies these manifests, wherever it is typed.
 */
export function findRemovalProblem(
  plan: Pick<Plan, 'facilities'>,
  owned: number,
  limit: RemovalLimit,
  command: string,
  allowed = 0,
): string | undefined {
  const names = plan.facilities.filter(facility => facility.change === 'remove').map(facility => facility.name)
  if (names.length <= limit.count || names.length <= owned * limit.fraction || names.length <= allowed) return undefined
  return (
    `${names.length} of the ${owned} owned facilities would be removed, which is over the limit ` +
    `(more than ${limit.count} and more than ${Math.round(limit.fraction * 100)} %): ${names.join(', ')}. ` +
    `If that is meant, allow it with \`${command} --allow-removals ${names.length}\`; else look for what is missing in the manifests.`
  )
}

/** How many facilities have something that is ours on this host. */
export function countOwned(snapshot: Pick<Snapshot, 'owned'>, owner: string): number {
  return new Set(
    snapshot.owned.filter(({ ownership }) => ownership.owner === owner).map(({ ownership }) => ownership.facility),
  ).size
}
