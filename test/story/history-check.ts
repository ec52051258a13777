import type { HistoryEntry } from '../../src/engine/session/history.ts'
import type { Declared } from '../random-actions/declarations.ts'

/** What the history has to tell of an action. */
export interface Traces {
  /** The entries, as `verb reason`, each once. */
  tells(declared: Declared): readonly string[]
  /** Entries that there may be besides: Reeve may be quicker than an action of several parts, or systemd quicker than Reeve. */
  readonly mayTell?: readonly string[]
  /** What a step may fail by that begins in the middle of an action of several parts. */
  readonly mayFailBy?: RegExp
}

/** Action on a facility, to compare the history with. */
export interface Done {
  readonly facility: string
  readonly action: string
  /** In ms since 1970: all that is told of it ended later, and before the next action to the facility. */
  readonly at: number
  readonly tells: readonly string[]
  readonly mayTell: readonly string[]
  readonly mayFailBy?: RegExp
}

/** True if the history has told of all that has to come of the action. */
export function isTold(done: Done, entries: readonly HistoryEntry[]): boolean {
  const told = textsOf(
    done,
    entries.filter(entry => isAbout(entry, done)),
  ).map(({ text }) => text)
  return done.tells.every(one => told.includes(one))
}

/** Differences between the history and the actions: missing entries, entries without an action, or without an author. */
export function findUntruths(done: readonly Done[], entries: readonly HistoryEntry[]): string[] {
  const problems: string[] = []
  const told = new Map<Done, HistoryEntry[]>(done.map(one => [one, []]))
  for (const entry of entries) {
    const cause = findCause(entry, done)
    if (cause) told.get(cause)?.push(entry)
    else problems.push(`nothing was done that led to ${describe(entry)}`)
    const isExpected = entry.error !== undefined && cause?.mayFailBy?.test(entry.error)
    if (entry.result !== 'done' && !isExpected) problems.push(`it failed: ${describe(entry)}: ${entry.error}`)
    const doer = entry.reason === 'ended' ? 'supervisor' : 'controller'
    if (entry.trigger !== doer) problems.push(`the ${doer} did it: ${describe(entry)}`)
  }
  for (const [one, own] of told) {
    const what = `${one.action}, ${one.facility}, ${new Date(one.at).toISOString()}`
    const texts = textsOf(one, own)
    for (const tell of one.tells)
      if (!texts.some(({ text }) => text === tell)) problems.push(`${what}: no entry of "${tell}"`)
    // A failed step is planned again from its beginning.
    const isTriedAgain = own.some(({ result }) => result !== 'done')
    const succeeded = texts.filter(({ result }) => result === 'done').map(({ text }) => text)
    for (const [index, text] of succeeded.entries()) {
      if (one.mayTell.includes(text)) continue
      if (!one.tells.includes(text)) problems.push(`${what}: has nothing to do with "${text}"`)
      else if (succeeded.indexOf(text) !== index && !isTriedAgain) problems.push(`${what}: "${text}" twice`)
    }
  }
  return problems
}

/**
 * The newest action before the entry. A restart by the supervisor is recorded when the controller sees it, which may be after the next
 * action: it is put down to the one before, if that may have ended the service.
 */
function findCause(entry: HistoryEntry, done: readonly Done[]): Done | undefined {
  const [previous, last] = [undefined, ...done.filter(one => isAbout(entry, one))].slice(-2)
  const text = textOf(entry)
  return entry.trigger === 'supervisor' && !last?.mayTell.includes(text) && previous?.mayTell.includes(text)
    ? previous
    : last
}

/** From the action until the first that Reeve did about it, in ms; undefined if there was nothing to do. */
export function findLatency(one: Done, done: readonly Done[], entries: readonly HistoryEntry[]): number | undefined {
  const next = done.find(other => other.facility === one.facility && other.at > one.at)?.at ?? Number.POSITIVE_INFINITY
  const first = entries.find(entry => isAbout(entry, one) && Date.parse(entry.time) < next)
  return first && Date.parse(first.time) - one.at
}

function isAbout({ facility, time }: HistoryEntry, done: Done): boolean {
  return facility === done.facility && Date.parse(time) >= done.at
}

/** Of a change that was cut off, by a fault or a newer one, after its definition was written: what was left to do. */
const leftToDo: ReadonlySet<string> = new Set(['out-of-date', 'enablement', 'enablement-drift', 'stopped'])

/** What the entries about a action tell. */
function textsOf(
  { tells }: Done,
  entries: readonly HistoryEntry[],
): { readonly text: string; readonly result: HistoryEntry['result'] }[] {
  return entries.map(entry => {
    const { verb, reason, result } = entry
    const meant = leftToDo.has(reason) ? tells.find(tell => tell.startsWith(`${verb} `)) : undefined
    return { text: meant ?? textOf(entry), result }
  })
}

function textOf({ verb, reason }: HistoryEntry): string {
  return `${verb} ${reason}`
}

function describe(entry: HistoryEntry): string {
  return `"${textOf(entry)}" of ${entry.facility} at ${entry.time} (${entry.result}, by ${entry.trigger})`
}
