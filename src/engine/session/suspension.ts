import type { ControlOutcome } from '../../core/contracts/control.ts'
import type { WriteHost } from '../../core/contracts/host.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Location } from '../../core/state/snapshot.ts'
import type { History } from './history.ts'
import type { Session } from './session.ts'
import { readSuspended, writeSuspended } from './state-files.ts'

/** What people suspended by hand, beside what manifests suspend. For the only writer of the state directory. */
export interface Suspensions {
  /** The facilities, by name, as they are now. */
  readonly marks: ReadonlySet<string>
  /** Throws if it can't be written down. */
  change(mark: Mark): ControlOutcome
  /** Facilities that have a new name stay suspended under it: former names, with the new ones. */
  carryOver(renames: ReadonlyMap<string, string>): void
  /** Of what goes no mark is left. Throws if that can't be written down. */
  forget(facilities: readonly string[]): void
}

export interface Mark {
  readonly name: string
  readonly suspended: boolean
  /** Absent where nothing but the mark is known of the facility. */
  readonly at: Location | undefined
  /** Its manifest says `suspend: true`, whatever people say. */
  readonly byManifest: boolean
  /** Who asked for it: `reeve suspend`, `reeve stop`. */
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

/** The same set where nothing has a new name. */
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
    // What could not be written down (a full disk) is refused, and so must not hold.
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
