import type { Clock } from '../../host/clock.ts'

/** How long a cause outside of the revision has kept it from going on. */
export interface Stall {
  /** Returns when it will have lasted too long, by `Clock.elapsed`. Undefined: nothing is stalled, or it has already. */
  note(isStalled: boolean): number | undefined
  /** It has lasted too long to wait for. */
  isStuck(): boolean
}

export function createStall(clock: Clock, limit: number): Stall {
  let since: number | undefined

  function isStuck(): boolean {
    return since !== undefined && clock.elapsed() - since >= limit
  }

  return {
    note(isStalled) {
      since = isStalled ? (since ?? clock.elapsed()) : undefined
      return since === undefined || isStuck() ? undefined : since + limit
    },
    isStuck,
  }
}
