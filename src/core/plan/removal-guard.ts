import type { Snapshot } from '../state/snapshot.ts'
import type { Plan } from './step.ts'

export interface RemovalLimit {
  /** Number of removals up to which a plan is never refused. */
  readonly count: number
  /** Share of the owned facilities up to which a plan is never refused. */
  readonly fraction: number
}

/**
 * Guard between a plan and its execution (E9): a mistake in the source must not take a host down. `owned`: number of owned
 * facilities; `allowed`: value of `--allow-removals`; `command`: applies these manifests in any working directory.
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

/** Number of owned facilities on this host. */
export function countOwned(snapshot: Pick<Snapshot, 'owned'>, owner: string): number {
  return new Set(
    snapshot.owned.filter(({ ownership }) => ownership.owner === owner).map(({ ownership }) => ownership.facility),
  ).size
}
