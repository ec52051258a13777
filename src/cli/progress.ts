import type { EngineEvent, EngineListener } from '../core/contracts/engine-event.ts'
import type { Clock } from '../host/clock.ts'
import { ageText, durationText } from './duration-text.ts'
import { stepDoneText, stepOmittedText, stepText, stepUnderWayText, waitingText } from './reason-text.ts'
import { oneLine, type Screen, truncate } from './screen.ts'

/** Tells on stderr what the engine does. Why something failed stands in the command's last words, once. */
export interface Progress {
  readonly listener: EngineListener
  /** What goes on without any event: `stopping`. On a terminal a live line until the end, elsewhere nothing. */
  show(facility: string, text: string): void
  /** What else is written on the same stream (logs) goes through here, so that it doesn't mix with the live part. */
  readonly screen: Screen
  /** Clears the live part. */
  end(): void
}

/** What goes on: `text` is `starting` or `waits for db to become ready`. `since` in ms. */
interface UnderWay {
  readonly facility: string
  readonly text: string
  readonly since: number
  /** Where nothing is redrawn: there is a line for it already. */
  told: boolean
}

/** Shorter waits than this, in ms, aren't worth a plain line; and so often the live part is redrawn. */
const TICK = 1000

/**
 * On a terminal, a line for all that has ended, and below them, redrawn in place, what is under way and what waits for
 * what, and since when. Elsewhere plain lines only.
 */
export function startProgress(screen: Screen, clock: Pick<Clock, 'elapsed' | 'after'>): Progress {
  const underWay = new Map<string, UnderWay>()
  /** Facilities that something was done about, or that were waited for: of the others it isn't news that they are ready. */
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
    // Said again, it hasn't begun again.
    if (underWay.get(waiting)?.text !== text) underWay.set(waiting, { facility, text, since: now, told: false })
    return
  }
  underWay.delete(waiting)
}

/** The line that stays, if the event is worth one here. */
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
