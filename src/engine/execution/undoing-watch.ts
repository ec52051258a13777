import type { EngineEvent } from '../../core/contracts/engine-event.ts'
import type { Reason } from '../../core/plan/reason.ts'
import type { Step } from '../../core/plan/step.ts'
import type { Exit, Observed } from '../../core/state/observed.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Sees that what Reeve has brought about is undone, how often, and by whom (E21). What was done is known by its steps, and that
 * it has been undone by a later look at the host, which finds it to be done again. Whose steps were under way at that moment may have
 * undone it; who does so each time is taken to be the one. Facilities that undo one another so, in a circle, come to no rest.
 */
export interface UndoingWatch {
  /** Steps that begin and end, whatever they come to. */
  noted(event: EngineEvent): void
  /** All its steps have ended. One that failed may have brought about something before. */
  settled(facility: string, digest: string): void
  /**
   * What there is to do about it, by a look: nothing, where it is as declared. Gives what has been undone, once.
   */
  seen(facility: string, digest: string, steps: readonly Step[], look: Look): Undoing | undefined
  /** The facility and those that it undoes and is undone by, over and over: sorted. Empty: there are none. */
  circleOf(facility: string): readonly string[]
  /** What is undone over and over, whoever does it. */
  often(facility: string): Often | undefined
  /** It is to be had otherwise now: what was before doesn't count. */
  forget(facility: string): void
  /** Facilities other than these are forgotten, an hour after their last step: what was done to remove one may have undone another. */
  keep(facilities: Pick<ReadonlySet<string>, 'has'>): void
}

export interface Look {
  /** When it began, by `Clock.elapsed`: what it finds as declared was so then. */
  readonly began: number
  /** When the service came into the state that was found, in ms since 1970. */
  readonly since?: number
  /** How its last run ended. */
  readonly exit?: Exit
}

export interface Undoing {
  readonly effect: Effect
  /** Facilities whose steps may have done it: sorted. */
  readonly suspects: readonly string[]
  /** The step that was to bring it about has failed: only if it does so over and over is that any facility's doing. */
  readonly isAttempt?: true
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

/** Of a program that ends by these, somebody else has made an end; the others tell of its own mistakes. */
const killers: ReadonlySet<string> = new Set(['HUP', 'INT', 'KILL', 'QUIT', 'TERM'])

/** What is being done about a facility. */
interface Lane {
  readonly began: number
  readonly effects: Set<Effect>
  /** Steps failed that were to bring this about: it may have been undone as they went on, or they have failed by themselves. */
  readonly attempts: Set<Effect>
}

/** What was done last, or found as declared, till it is seen to be undone. */
interface Done {
  readonly digest: string
  /** Undefined: all that there may be to do. */
  readonly effects?: ReadonlySet<Effect>
  readonly attempts?: ReadonlySet<Effect>
  readonly began: number
  readonly ended: number
  /** Seen to be so at that time, last. */
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
      // A file tells nothing of when it was written that others couldn't set.
      const isTimed = isOfProcess(effect) && since !== undefined
      const moment = isTimed ? clock.elapsed() - (clock.now() - since) : undefined
      const isKnown = moment !== undefined && moment >= before.began
      const suspects = findSuspects(facility, before.seenAt ?? before.began, isKnown ? moment : undefined)
      // Where nobody else was at work, the step has failed by itself.
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

/** A start may fail as somebody stops it; what could not be written, as on a full disk, was never there to be undone. */
function isOfProcess(effect: Effect): boolean {
  return effect === 'up' || effect === 'down'
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
  if (suspects.length > MOST_NAMES) return `${what}, perhaps by what was done about one of ${suspects.length} others`
  if (suspects.length > 1) return `${what}, perhaps by what was done about one of the facilities ${suspects.join(', ')}`
  return `${what}, most likely by what was done about facility ${suspects[0]}`
}

/** More names would tell nothing. */
const MOST_NAMES = 3

/** Of a look that began then. */
export function lookAt(began: number, { since, exit }: Partial<Observed> = {}): Look {
  return { began, ...(since !== undefined && { since }), ...(exit && { exit }) }
}
