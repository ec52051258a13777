import type { Control, ControlOptions, ControlOutcome, ControlVerb, HostControl } from '../../core/contracts/control.ts'
import type { Status } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Location } from '../../core/state/snapshot.ts'
import type { Executor } from '../execution/executor.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { concludeAction, findUndoing, planManualAction } from './manual-action.ts'

export interface ControllerControlOptions {
  readonly executor: Executor
  /** Resolves when the first pass has been made: before it, nothing is known. */
  begun(): Promise<void>
  status(): Status
  /** Adds the last lines of facilities that don't stay up. */
  addLastOutput(facilities: Status['facilities']): Promise<Status['facilities']>
  facility(name: string): Facility | undefined
  /** Location where a facility that no manifest declares is owned. */
  ownedAt(name: string): Location | undefined
  /** Partial refresh. */
  look(facilities: readonly Facility[], also: readonly Location[]): Promise<Refresh>
  /** Observes the facility, so that its status is current. */
  observeAgain(facility: Facility): Promise<void>
  /** `trigger`: the command, for the history. Throws ReeveError `not-found` if nothing is known of the facility. */
  setSuspended(name: string, value: boolean, trigger: string): ControlOutcome
  notFound(name: string): ReeveError
  readonly passes: Pick<Control, 'apply' | 'planDown' | 'down'>
}

/** Retries when a manual action races a pass. */
const MOST_TRIES = 5

/** Control of a running controller. */
export function createControllerControl(options: ControllerControlOptions): HostControl {
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
      const action = planManualAction(verb, { ...at, name }, refresh.snapshot, refresh.targets[0], wish)
      // An action that is refused doesn't suspend the facility.
      if (wish.suspend) mark ??= options.setSuspended(name, true, `reeve ${verb}`)
      if ('outcome' in action) return concludeAction(verb, name, action, { mark })
      // A pass may have started a lane meanwhile.
      if (!executor.submit([action]).has(name)) continue
      const error = await executor.settled(name)
      if (facility) await options.observeAgain(facility)
      return concludeAction(verb, name, action, { mark, error })
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
