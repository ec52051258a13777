import type { EngineEvent } from '../../core/contracts/engine-event.ts'
import type { Reason } from '../../core/plan/reason.ts'
import type { Step } from '../../core/plan/step.ts'
import type { Exit, Observed } from '../../core/state/observed.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Detects steps that are undone, how often, and by whom (E21). A step counts as undone when a later snapshot requires it again.
 * Facilities whose steps were under way at that moment are suspects; one that is a suspect each time is the cause. Facilities that
 * undo one another in a circle never come to rest.
 */
export interface UndoingWatch {
  /** Takes note of steps that start and end. */
  noted(event: EngineEvent): void
  /** All steps of the facility have ended; some may have been done even if one failed. */
  settled(facility: string, digest: string): void
  /** Takes note of the steps that a snapshot requires; none if the facility is as declared. Returns what was undone, once. */
  seen(facility: string, digest: string, steps: readonly Step[], sighting: Sighting): Undoing | undefined
  /** The facility and those that it undoes and is undone by repeatedly: sorted. Empty: there are none. */
  circleOf(facility: string): readonly string[]
  /** What is undone repeatedly, whoever does it. */
  often(facility: string): Often | undefined
  /** Forgets the facility, as it is declared otherwise now. */
  forget(facility: string): void
  /** Forgets all other facilities an hour after their last step: the removal of one may have undone another. */
  keep(facilities: Pick<ReadonlySet<string>, 'has'>): void
}

/** One service in a snapshot. */
export interface Sighting {
  /** When the snapshot began, by `Clock.elapsed`. */
  readonly began: number
  /** When the service entered its state, in ms since 1970. */
  readonly since?: number
  /** End of its last run. */
  readonly exit?: Exit
}

export interface Undoing {
  readonly effect: Effect
  /** Facilities whose steps may have undone it: sorted. */
  readonly suspects: readonly string[]
  /** True: the step itself had failed, which is another facility's doing only if it happens repeatedly. */
  readonly isAttempt?: true
}

export interface Often extends Undoing {
  readonly count: number
  /** Time from the first to the last, in ms. */
  readonly span: number
}

/** Effect of a step. */
type Effect = 'up' | 'down' | 'enabled' | 'disabled' | 'definition' | `file ${string}`

/** Time span in which steps of a facility were under way. */
interface Span {
  readonly began: number
  readonly ended: number
}

interface Event extends Undoing {
  readonly at: number
}

/** Number of times from which on it is no accident. */
const OFTEN = 3

/** Time in ms after which an undoing no longer counts. */
const WINDOW = 3_600_000

/** Time in ms after its steps in which a facility may still affect another, as programs take a while to begin. */
const AFTERMATH = 2_000

/** Tolerance for supervisors' timestamps, which may be of another clock, in ms. */
const INACCURACY = 100

/** Reasons that lie in the service itself: nobody has undone a step. */
const ownReasons: ReadonlySet<Reason> = new Set([
  'failed',
  'unhealthy',
  'out-of-date',
  'unsupervised',
  'overwritten',
  'requested',
])

/** Signals by which somebody else ends a program; the others come from its own mistakes. */
const killers: ReadonlySet<string> = new Set(['HUP', 'INT', 'KILL', 'QUIT', 'TERM'])

/** Steps of a facility that are under way. */
interface Lane {
  readonly began: number
  readonly effects: Set<Effect>
  /** Effects of failed steps: they were undone at once, or the steps failed by themselves. */
  readonly attempts: Set<Effect>
}

/** Effects that were done last, or found as declared, until they are undone. */
interface Done {
  readonly digest: string
  /** Absent: all effects. */
  readonly effects?: ReadonlySet<Effect>
  readonly attempts?: ReadonlySet<Effect>
  readonly began: number
  readonly ended: number
  /** When a snapshot last found them in place. */
  readonly seenAt?: number
}

export function createUndoingWatch(clock: Clock): UndoingWatch {
  const underWay = new Map<string, number>()
  const spans = new Map<string, readonly Span[]>()
  const dones = new Map<string, Done>()
  const lanes = new Map<string, Lane>()
  const events = new Map<string, readonly Event[]>()

  function recent(facility: string): readonly Event[] {
    return (events.get(facility) ?? []).filter(({ at }) => clock.elapsed() - at < WINDOW)
  }

  /** `moment`: when it was undone; if undefined, at any time since `from`. */
  function findSuspects(facility: string, from: number, moment: number | undefined): string[] {
    const now = clock.elapsed()
    const wasAtWork = ({ began, ended }: Span): boolean =>
      moment === undefined ? ended + AFTERMATH >= from : began - INACCURACY <= moment && moment <= ended + AFTERMATH
    const suspects = new Set<string>()
    for (const [name, began] of underWay) if (wasAtWork({ began, ended: now })) suspects.add(name)
    for (const [name, list] of spans) if (list.some(wasAtWork)) suspects.add(name)
    suspects.delete(facility)
    return [...suspects].sort()
  }

  /** Facilities that were suspects each time. */
  function findCulprits(facility: string): readonly string[] {
    const last = recent(facility).slice(-OFTEN)
    const [first] = last
    if (!first || last.length < OFTEN) return []
    return first.suspects.filter(name => last.every(({ suspects }) => suspects.includes(name)))
  }

  function noteSpan(facility: string): void {
    const began = underWay.get(facility)
    if (began === undefined) return
    underWay.delete(facility)
    const ended = clock.elapsed()
    spans.set(facility, [...(spans.get(facility) ?? []).filter(span => ended - span.ended < WINDOW), { began, ended }])
  }

  function forget(facility: string): void {
    for (const known of [spans, dones, events]) known.delete(facility)
  }

  return {
    noted(event) {
      if (event.type === 'step-started') {
        const began = clock.elapsed()
        underWay.set(event.facility, began)
        if (!lanes.has(event.facility)) lanes.set(event.facility, { began, effects: new Set(), attempts: new Set() })
      } else if (event.type === 'step-finished') {
        noteSpan(event.facility)
        const { effects, attempts } = lanes.get(event.facility) ?? {}
        const noted = event.result === 'done' ? effects : event.result === 'failed' ? attempts : undefined
        for (const effect of effectsOf(event.step))
          if (event.result === 'done' || isOfProcess(effect)) noted?.add(effect)
      }
    },
    settled(facility, digest) {
      const lane = lanes.get(facility)
      lanes.delete(facility)
      if (lane) dones.set(facility, { ...lane, digest, ended: clock.elapsed() })
    },
    seen(facility, digest, steps, { began, since, exit }) {
      const before = dones.get(facility)
      if (before?.digest !== digest) {
        if (steps.length === 0) dones.set(facility, { digest, began, ended: began, seenAt: began })
        return undefined
      }
      const isKilled = killers.has(exit?.signal ?? '')
      const isOthers = ({ reason }: Step): boolean => !ownReasons.has(reason) || (reason === 'failed' && isKilled)
      const again = steps.filter(isOthers).flatMap(effectsOf)
      const undone = again.find(one => before.effects?.has(one) ?? true)
      const effect = undone ?? again.find(one => before.attempts?.has(one))
      if (effect === undefined) {
        if (began >= before.ended) dones.set(facility, { ...before, seenAt: began })
        return undefined
      }
      dones.delete(facility)
      // Anybody who can write a file can set its times.
      const isTimed = isOfProcess(effect) && since !== undefined
      const moment = isTimed ? clock.elapsed() - (clock.now() - since) : undefined
      const isKnown = moment !== undefined && moment >= before.began
      const suspects = findSuspects(facility, before.seenAt ?? before.began, isKnown ? moment : undefined)
      // Without a suspect, the step failed by itself.
      if (undone === undefined && suspects.length === 0) return undefined
      events.set(facility, [...recent(facility), { effect, suspects, at: clock.elapsed() }])
      return { effect, suspects, ...(undone === undefined && { isAttempt: true }) }
    },
    circleOf(facility) {
      const upstream = (start: string): Set<string> => {
        const found = new Set(findCulprits(start))
        for (const name of found) for (const more of findCulprits(name)) found.add(more)
        return found
      }
      const own = upstream(facility)
      return own.has(facility) ? [...own].filter(name => upstream(name).has(facility)).sort() : []
    },
    often(facility) {
      const found = recent(facility)
      const [first] = found
      const last = found.at(-1)
      if (!first || !last || found.length < OFTEN) return undefined
      const { effect } = last
      return { effect, suspects: findCulprits(facility), count: found.length, span: last.at - first.at }
    },
    forget,
    keep(facilities) {
      for (const [name, list] of spans) {
        const ended = list.at(-1)?.ended ?? 0
        if (!facilities.has(name) && clock.elapsed() - ended >= WINDOW) forget(name)
      }
    },
  }
}

/** A start may fail because somebody stops the service; a failed write was never there to be undone. */
function isOfProcess(effect: Effect): boolean {
  return effect === 'up' || effect === 'down'
}

function effectsOf({ verb, path, target }: Step): Effect[] {
  if (target) return [] // the old service of a move
  switch (verb) {
    case 'start':
    case 'restart':
      return ['up']
    case 'stop':
      return ['down']
    case 'enable':
      return ['enabled']
    case 'disable':
      return ['disabled']
    case 'install':
      return ['definition']
    case 'write-file':
      return path === undefined ? [] : [`file ${path}`]
    default:
      return []
  }
}

/** `web is stopped again`, for people. */
export function describeEffect(effect: Effect, name?: string): string {
  const subject = name ?? 'it'
  switch (effect) {
    case 'up':
      return `${subject} is stopped again`
    case 'down':
      return `${subject} is started again`
    case 'enabled':
      return `${subject} is disabled again`
    case 'disabled':
      return `${subject} is enabled again`
    case 'definition':
      return `${name === undefined ? 'its definition' : `the definition of ${name}`} is changed again`
    default:
      return `${effect} is changed again`
  }
}

/** `it is stopped again, most likely by what is done about facility db`, for people. */
export function describeUndoing({ effect, suspects }: Undoing): string {
  const what = describeEffect(effect)
  if (suspects.length === 0) return `${what}, by something other than Reeve or by itself`
  if (suspects.length > MOST_NAMES) return `${what}, perhaps by what was done about one of ${suspects.length} others`
  if (suspects.length > 1) return `${what}, perhaps by what was done about one of the facilities ${suspects.join(', ')}`
  return `${what}, most likely by what was done about facility ${suspects[0]}`
}

/** Limit of names in a message. */
const MOST_NAMES = 3

/** `began`: when the snapshot began, by `Clock.elapsed`. */
export function sightingOf(began: number, { since, exit }: Partial<Observed> = {}): Sighting {
  return { began, ...(since !== undefined && { since }), ...(exit && { exit }) }
}
