import type { ControlOutcome } from '../../core/contracts/control.ts'
import type { WriteHost } from '../../core/contracts/host.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Location } from '../../core/state/snapshot.ts'
import type { History } from './history.ts'
import type { Session } from './session.ts'
import { readSuspended, writeSuspended } from './state-files.ts'

/** Suspensions by `reeve suspend`, besides those of manifests. For the holder of the writer's lock. */
export interface Suspensions {
  /** Names of the suspended facilities. */
  readonly marks: ReadonlySet<string>
  /** Throws if the suspension cannot be written. */
  change(mark: Mark): ControlOutcome
  /** Keeps renamed facilities suspended: new names by former ones. */
  carryOver(renames: ReadonlyMap<string, string>): void
  /** Ends the suspensions of removed facilities. Throws if that cannot be written. */
  forget(facilities: readonly string[]): void
}

export interface Mark {
  readonly name: string
  readonly suspended: boolean
  /** Location of the facility; absent if nothing but its suspension is known. */
  readonly at: Location | undefined
  /** True if its manifest says `suspend: true`. */
  readonly byManifest: boolean
  /** Command for the history: `reeve suspend`, `reeve stop`. */
  readonly trigger: string
}

export function openSuspensions(session: Session, host: WriteHost, history: History): Suspensions {
  const { clock, configuration, log } = session
  const marks = readSuspended(configuration.stateDirectory, host)

  function record({ name: facility, suspended, at, trigger }: Mark): void {
    const verb = suspended ? 'suspend' : 'resume'
    log.info({ facility, trigger }, `${facility}: ${suspended ? 'suspended' : 'resumed'} (requested manually)`)
    if (!at) return
    const { supervisor, service } = at
    const time = new Date(clock.now()).toISOString()
    const what = { facility, supervisor, service, verb, reason: 'requested', result: 'done' } as const
    try {
      history.append({ time, ...what, duration: 0, step: `${facility}/${verb}`, trigger })
    } catch (problem) {
      log.warn({ facility, error: messageOf(problem) }, 'the history could not be written')
    }
  }

  return {
    marks,
    change(mark) {
      const outcome = changeMark(marks, mark, names => writeSuspended(configuration.stateDirectory, names, host))
      if (outcome.changed) record(mark)
      return outcome
    },
    carryOver(renames) {
      const next = carrySuspensions(marks, renames)
      if (next === marks) return
      marks.clear()
      for (const name of next) marks.add(name)
      try {
        writeSuspended(configuration.stateDirectory, marks, host)
      } catch (problem) {
        log.warn({ error: messageOf(problem) }, 'what is suspended could not be written down under its new name')
      }
    },
    forget(facilities) {
      const going = facilities.filter(name => marks.has(name))
      if (going.length === 0) return
      writeSuspended(configuration.stateDirectory, new Set([...marks].filter(name => !going.includes(name))), host)
      for (const name of going) marks.delete(name)
    },
  }
}

/** Suspended names after renames; the same set if there are none. */
export function carrySuspensions<S extends ReadonlySet<string>>(
  suspended: S,
  renames: ReadonlyMap<string, string>,
): S | Set<string> {
  if (![...suspended].some(name => renames.has(name))) return suspended
  return new Set([...suspended].map(name => renames.get(name) ?? name))
}

export function changeMark(
  marks: Set<string>,
  { name, suspended, byManifest }: Pick<Mark, 'name' | 'suspended' | 'byManifest'>,
  write: (names: ReadonlySet<string>) => void,
): ControlOutcome {
  const changed = marks.has(name) !== suspended
  if (changed) {
    const next = new Set(marks)
    if (suspended) next.add(name)
    else next.delete(name)
    // A change that cannot be written, as on a full disk, is refused, and so must not take effect.
    write(next)
    if (suspended) marks.add(name)
    else marks.delete(name)
  }
  return { changed, message: describeMark(name, suspended, changed, byManifest) }
}

function describeMark(name: string, suspended: boolean, changed: boolean, byManifest: boolean): string {
  if (suspended) return changed ? `${name} is suspended until reeve resume ${name}` : `${name} is suspended already`
  if (byManifest) return `${name} stays suspended, as its manifest says suspend: true`
  return changed ? `${name} is reconciled again` : `${name} is not suspended`
}
