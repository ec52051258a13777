import type { Control, ControlOptions, ControlOutcome, ControlVerb } from '../../core/contracts/control.ts'
import type { Status } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Location } from '../../core/state/snapshot.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Executor } from '../execution/executor.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { describeDone, findUndoing, makeRequest, suspendedAllTheSame, withMark } from './manual-action.ts'

export interface ControllerControlOptions {
  readonly executor: Executor
  /** Resolves when the first pass has been made: before it there is nothing to tell of. */
  begun(): Promise<void>
  status(): Status
  /** With the last lines of those that don't stay up. */
  addLastOutput(facilities: Status['facilities']): Promise<Status['facilities']>
  facility(name: string): Facility | undefined
  /** Where a facility that no manifest declares is owned. */
  ownedAt(name: string): Location | undefined
  /** Looks at these only. */
  look(facilities: readonly Facility[], also: readonly Location[]): Promise<Refresh>
  /** Looks at it, so that its status is the present one. */
  observeAgain(facility: Facility): Promise<void>
  /** `trigger`: what a person said. Throws ReeveError `not-found` if nothing is known of the facility. */
  setSuspended(name: string, value: boolean, trigger: string): ControlOutcome
  notFound(name: string): ReeveError
  readonly passes: Pick<Control, 'apply' | 'planDown' | 'down'>
}

/** How often an action by hand gives way to what a pass has begun at the same moment. */
const MOST_TRIES = 5

/** What people ask of a running controller. */
export function createControllerControl(options: ControllerControlOptions): Omit<Control, 'sync' | 'accept'> {
  const { executor } = options

  async function act(verb: ControlVerb, name: string, wish: ControlOptions): Promise<ControlOutcome> {
    await options.begun()
    const facility = options.facility(name)
    const at = facility ?? options.ownedAt(name)
    if (!at) throw options.notFound(name)
    const undoing = facility && !wish.suspend ? findUndoing(verb, facility) : undefined
    if (undoing !== undefined) throw new ReeveError('refused', `${verb} ${name}: ${undoing}`)
    let mark: ControlOutcome | undefined
    for (let count = 0; count < MOST_TRIES; count += 1) {
      if (executor.isBusy(name)) {
        executor.abort(name)
        await executor.settled(name)
      }
      const refresh = await options.look(facility ? [facility] : [], facility ? [] : [at])
      const observed = refresh.snapshot.services.get(locationKey(at))
      const request = makeRequest(verb, { ...at, name }, observed, refresh.targets[0], wish)
      // What can't be done doesn't suspend it either.
      if (wish.suspend) mark ??= options.setSuspended(name, true, `reeve ${verb}`)
      if ('outcome' in request) return withMark(name, request.outcome, mark)
      // While that was looked up, a pass may have set something going.
      if (!executor.submit([request]).has(name)) continue
      const error = await executor.settled(name)
      if (facility) await options.observeAgain(facility)
      if (error) throw mark ? suspendedAllTheSame(name, error) : error
      return withMark(name, describeDone(verb, request), mark)
    }
    throw new ReeveError('failed', `${verb} ${name}: the facility is busy; try again`)
  }

  return {
    async status(name) {
      await options.begun()
      const all = options.status()
      const chosen = name === undefined ? all.facilities : all.facilities.filter(facility => facility.name === name)
      if (name !== undefined && chosen.length === 0) throw options.notFound(name)
      return { ...all, facilities: await options.addLastOutput(chosen) }
    },
    act: (verb, name, wish) => act(verb, name, wish ?? {}),
    async suspend(name) {
      await options.begun()
      return options.setSuspended(name, true, 'reeve suspend')
    },
    async resume(name) {
      await options.begun()
      return options.setSuspended(name, false, 'reeve resume')
    },
    ...options.passes,
  }
}
