import type { EngineEvent, EngineListener } from '../core/contracts/engine-event.ts'
import type { Clock } from '../host/clock.ts'
import { ageText, durationText } from './duration-text.ts'
import { stepDoneText, stepOmittedText, stepText, stepUnderWayText, waitingText } from './reason-text.ts'
import { oneLine, type Screen, truncate } from './screen.ts'

/** Reports the engine's progress on stderr. Causes of failures are left to the command's final text. */
export interface Progress {
  readonly listener: EngineListener
  /** Shows an action without events, such as `stopping`, as a live line until the end; nothing without a terminal. */
  show(facility: string, text: string): void
  /** For other text on the same stream (logs), so that it doesn't mix with the live part. */
  readonly screen: Screen
  /** Clears the live part. */
  end(): void
}

/** An action under way: `text` is `starting` or `waits for db to become ready`. `since` in ms. */
interface UnderWay {
  readonly facility: string
  readonly text: string
  readonly since: number
  /** Without redrawing: it has a line already. */
  told: boolean
}

/** Shortest wait worth a plain line, and interval of redrawing the live part, in ms. */
const TICK = 1000

/**
 * On a terminal, a line for each finished action, and below them, redrawn in place, what is under way and what waits for
 * what, and since when. Elsewhere plain lines only.
 */
export function startProgress(screen: Screen, clock: Pick<Clock, 'elapsed' | 'after'>): Progress {
  const underWay = new Map<string, UnderWay>()
  /** Facilities that were changed or waited for; that others are ready isn't news. */
  const busy = new Set<string>()
  let drawn = 0
  let timer: Disposable | undefined

  function clear(): string {
    if (drawn === 0) return ''
    const text = screen.control(`\x1b[${drawn}A\x1b[0J`)
    drawn = 0
    return text
  }

  function draw(): string {
    if (!screen.live) return ''
    const lines = liveLines([...underWay.values()], screen, clock.elapsed())
    drawn = lines.length
    return lines.map(line => `${line}\n`).join('')
  }

  function write(text: string): void {
    screen.write(clear() + text + draw())
  }

  function tellLong(): void {
    for (const each of underWay.values()) {
      if (each.told || clock.elapsed() - each.since < TICK) continue
      each.told = true
      busy.add(each.facility)
      screen.write(`${screen.colors.bold(each.facility)}: ${oneLine(each.text)}\n`)
    }
  }

  /** Runs only while something is under way. */
  function keepTicking(): void {
    if (timer || underWay.size === 0) return
    timer = clock.after(TICK, () => {
      timer = undefined
      if (screen.live) write('')
      else tellLong()
      keepTicking()
    })
  }

  function listener(event: EngineEvent): void {
    follow(underWay, event, clock.elapsed())
    keepTicking()
    if (event.type === 'ready' && !busy.has(event.facility)) return
    if (event.type !== 'waiting') busy.add(event.facility)
    const line = eventLine(event, screen)
    if (line !== undefined || screen.live) write(line === undefined ? '' : `${line}\n`)
  }

  return {
    listener,
    show(facility, text) {
      if (!screen.live) return
      underWay.set(facility, { facility, text, since: clock.elapsed(), told: true })
      keepTicking()
      write('')
    },
    screen: { ...screen, write },
    end() {
      timer?.[Symbol.dispose]()
      underWay.clear()
      if (drawn > 0) screen.write(clear())
    },
  }
}

function follow(underWay: Map<string, UnderWay>, event: EngineEvent, now: number): void {
  const { facility } = event
  const waiting = `${facility}?`
  if (event.type === 'step-started') {
    underWay.delete(waiting)
    underWay.set(event.step.id, { facility, text: stepUnderWayText(event.step), since: now, told: false })
    return
  }
  if (event.type === 'step-finished') {
    underWay.delete(event.step.id)
    return
  }
  if (event.type === 'waiting') {
    const text = waitingText(event)
    // A repeated event doesn't restart the time.
    if (underWay.get(waiting)?.text !== text) underWay.set(waiting, { facility, text, since: now, told: false })
    return
  }
  underWay.delete(waiting)
}

/** The lasting line of an event, if it has one. */
function eventLine(event: EngineEvent, screen: Screen): string | undefined {
  const { colors } = screen
  const name = colors.bold(event.facility)
  switch (event.type) {
    case 'step-started':
    case 'waiting':
      return undefined
    case 'step-finished':
      return `${name}: ${finishedText(event, screen)}`
    case 'ready':
      return `${name}: ${colors.green('ready')}`
    case 'not-ready':
      return `${name}: ${colors.red('not ready')}`
  }
}

function finishedText(event: EngineEvent & { type: 'step-finished' }, { colors }: Screen): string {
  const { step } = event
  const took = colors.dim(`(${durationText(event.duration)})`)
  if (event.result === 'done') return `${stepDoneText(step)} ${took}`
  if (event.result === 'skipped') return colors.yellow(`not ${stepOmittedText(step)}: an earlier step failed`)
  if (event.result === 'aborted') return colors.yellow(`gave up ${stepUnderWayText(step)}`)
  return `${colors.red(`could not ${stepText(step)}`)} ${took}`
}

function liveLines(underWay: readonly UnderWay[], screen: Screen, now: number): string[] {
  const width = (screen.width() ?? 80) - 1
  const room = Math.max(1, Math.min(12, (screen.height() ?? 24) - 2))
  const shown = underWay.length > room ? underWay.slice(0, room - 1) : underWay
  const lines = shown.map(({ facility, text, since }) => {
    const age = ` ${ageText(now - since)}`
    return screen.colors.dim(truncate(`  ${facility} ${oneLine(text)}`, width - age.length) + age)
  })
  const more = underWay.length - shown.length
  if (more > 0) lines.push(screen.colors.dim(`  and ${more} more`))
  return lines
}
