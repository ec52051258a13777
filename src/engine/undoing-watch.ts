import type { Reason, Step } from '../core/step.ts'
import type { Clock } from '../host/clock.ts'
import type { EngineEvent } from './engine-event.ts'

/**
 * Sees that what Reeve has brought about is undone, how often, and by whom (E21). What was done is known by its steps, and that
 * it has been undone by a later look at the host, which finds it to be done again. Whose steps were under way at that moment may have
 * undone it; who does so each time is taken to be the one. Facilities that undo one another so, in a circle, come to no rest.
 */
export interface UndoingWatch {
  /** Steps that begin and end, whatever they come to. */
  noted(event: EngineEvent): void
  /** All steps of the facility were done. */
  done(facility: string, digest: string, steps: readonly Step[]): void
  /**
   * What there is to do about it, by a look. `since`: when its service came into its state, in ms since 1970. Gives what has been
   * undone, once.
   */
  seen(facility: string, digest: string, steps: readonly Step[], since?: number): Undoing | undefined
  /** The facility and those that it undoes and is undone by, over and over: sorted. Empty: there are none. */
  circleOf(facility: string): readonly string[]
  /** What is undone over and over, whoever does it. */
  often(facility: string): Often | undefined
  /** It is to be had otherwise now: what was before doesn't count. */
  forget(facility: string): void
}

export interface Undoing {
  readonly effect: Effect
  /** Facilities whose steps may have done it: sorted. */
  readonly suspects: readonly string[]
}

export interface Often extends Undoing {
  readonly count: number
  /** Since the first of them, in ms. */
  readonly span: number
}

/** What a step has brought about. */
type Effect = 'up' | 'down' | 'enabled' | 'disabled' | 'definition' | `file ${string}`

/** A time in which steps of a facility were under way. */
interface Span {
  readonly began: number
  readonly ended: number
}

interface Event extends Undoing {
  readonly at: number
}

/** So often it is no accident. */
const OFTEN = 3

/** In ms. What has happened earlier doesn't count. */
const WINDOW = 3_600_000

/** How long after its steps a facility may still be at work on another, in ms: a program that takes its time to begin. */
const AFTERMATH = 2_000

/** A supervisor's stamps may be of another clock's making. In ms. */
const INACCURACY = 100

/** The service itself gave up, or lacks something: nobody has undone what was done. */
const ownReasons: ReadonlySet<Reason> = new Set([
  'failed',
  'unhealthy',
  'out-of-date',
  'unsupervised',
  'overwritten',
  'requested',
])

/** What was done last, till it is seen to be undone. */
interface Done {
  readonly digest: string
  readonly effects: ReadonlySet<Effect>
  readonly began: number
}

export function createUndoingWatch(clock: Clock): UndoingWatch {
  const underWay = new Map<string, number>()
  const spans = new Map<string, readonly Span[]>()
  const dones = new Map<string, Done>()
  /** When the first step of the lane under way began. */
  const beginnings = new Map<string, number>()
  const events = new Map<string, readonly Event[]>()

  function recent(facility: string): readonly Event[] {
    return (events.get(facility) ?? []).filter(({ at }) => clock.elapsed() - at < WINDOW)
  }

  /** `moment`: when it was undone. Undefined: some time since `from`. */
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

  /** Those who may have done it each time. */
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

  return {
    noted(event) {
      if (event.type === 'step-finished') noteSpan(event.facility)
      if (event.type !== 'step-started') return
      underWay.set(event.facility, clock.elapsed())
      if (!beginnings.has(event.facility)) beginnings.set(event.facility, clock.elapsed())
    },
    done(facility, digest, steps) {
      const began = beginnings.get(facility) ?? clock.elapsed()
      beginnings.delete(facility)
      dones.set(facility, { digest, effects: new Set(steps.flatMap(effectsOf)), began })
    },
    seen(facility, digest, steps, since) {
      const before = dones.get(facility)
      if (before?.digest !== digest) return undefined
      const again = steps.filter(({ reason }) => !ownReasons.has(reason)).flatMap(effectsOf)
      const effect = again.find(one => before.effects.has(one))
      if (effect === undefined) return undefined
      dones.delete(facility)
      // A file tells nothing of when it was written that others couldn't set.
      const isTimed = (effect === 'up' || effect === 'down') && since !== undefined
      const moment = isTimed ? clock.elapsed() - (clock.now() - since) : undefined
      const isKnown = moment !== undefined && moment >= before.began
      const suspects = findSuspects(facility, before.began, isKnown ? moment : undefined)
      events.set(facility, [...recent(facility), { effect, suspects, at: clock.elapsed() }])
      return { effect, suspects }
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
    forget(facility) {
      for (const known of [spans, dones, beginnings, events]) known.delete(facility)
    },
  }
}

function effectsOf({ verb, path, target }: Step): Effect[] {
  if (target) return [] // the old side of a move
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
  if (suspects.length > MOST_NAMES)
    return `${what}, most likely by what was done about one of ${suspects.length} others`
  const names = suspects.length === 1 ? `facility ${suspects[0]}` : `one of the facilities ${suspects.join(', ')}`
  return `${what}, most likely by what was done about ${names}`
}

/** More names would tell nothing. */
const MOST_NAMES = 3
