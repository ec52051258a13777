/** What happens when a revision fails on a host. */
export type OnRolloutFailure = 'rollback' | 'hold' | 'continue'

/** How a revision comes into force: `rollout` of the host configuration. Times in ms. */
export interface RolloutConfiguration {
  readonly strategy: 'all' | 'one-by-one' | { readonly maxUnavailable: number }
  readonly minHealthyTime: number
  readonly healthyDeadline: number
  readonly progressDeadline: number
  readonly onFailure: OnRolloutFailure
  /** False: `hold` of a facility doesn't count. */
  readonly allowHold: boolean
  readonly keepReachable: boolean
}

/** What a facility asks of the roll-out of a revision that changes it: `spec.rollout`. Times in ms. */
export interface FacilityRollout {
  readonly minHealthyTime?: number
  readonly healthyDeadline?: number
  readonly onFailure?: OnRolloutFailure
}

export type FacilityRules = Required<FacilityRollout>

/** Rules for a facility, within what the host allows: a facility can ask for more care than the host, and not for less. */
export function rulesFor(host: RolloutConfiguration, facility: FacilityRollout = {}): FacilityRules {
  const { allowHold, minHealthyTime, healthyDeadline, progressDeadline, onFailure } = host
  return {
    minHealthyTime: Math.max(minHealthyTime, facility.minHealthyTime ?? 0),
    healthyDeadline: Math.min(facility.healthyDeadline ?? healthyDeadline, progressDeadline),
    onFailure: allowHold && facility.onFailure === 'hold' && onFailure === 'rollback' ? 'hold' : onFailure,
  }
}

/** How many facilities may be changed and not healthy yet at one time. */
export function unavailableLimit({ strategy }: Pick<RolloutConfiguration, 'strategy'>): number {
  if (strategy === 'all') return Number.POSITIVE_INFINITY
  return strategy === 'one-by-one' ? 1 : strategy.maxUnavailable
}
