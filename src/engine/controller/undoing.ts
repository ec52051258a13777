import type { Log } from '../../core/contracts/log.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { count } from '../../core/text/count-text.ts'
import type { Clock } from '../../host/clock.ts'
import {
  createUndoingWatch,
  describeEffect,
  describeUndoing,
  type Often,
  type Sighting,
  sightingOf,
  type UndoingWatch,
} from '../execution/undoing-watch.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { History } from '../session/history.ts'
import type { BackoffTracker } from './backoff-tracker.ts'

/**
 * Handles steps that are undone again and again (E21). Facilities that undo one another are all held and retried rarely. What others
 * undo is drift: it is repaired each time and reported.
 */
export interface UndoingGuard extends Pick<UndoingWatch, 'noted' | 'settled'> {
  /** Takes plans before any of them begins. `began`: begin of their refresh, by `Clock.elapsed`. */
  looked(plans: readonly FacilityPlan[], refresh: Pick<Refresh, 'targets' | 'snapshot'>, began: number): void
  /** Takes all declared facilities. */
  declared(facilities: ReadonlyMap<string, Facility>): void
  /** Describes how others undo the facility again and again, for its conditions. */
  undoneByOthers(facility: string): string | undefined
}

export interface UndoingOptions {
  readonly clock: Clock
  readonly log: Log
  readonly history: History
  readonly retries: BackoffTracker
}

export function createUndoingGuard({ clock, log, history, retries }: UndoingOptions): UndoingGuard {
  const watch = createUndoingWatch(clock)
  let known: ReadonlyMap<string, Facility> = new Map()
  /** What was reported already. */
  const told = new Map<string, 'circle' | 'others'>()

  const digestOf = (name: string): string => known.get(name)?.digest ?? ''

  function stall(circle: readonly string[]): void {
    const message = describeCircle(circle, watch)
    retries.undone(circle, digestOf, message)
    for (const name of circle) {
      if (told.get(name) === 'circle') continue
      told.set(name, 'circle')
      writeDown(name, message)
    }
  }

  function writeDown(facility: string, error: string): void {
    const { supervisor = '', service = '' } = known.get(facility) ?? {}
    const verb = watch.often(facility)?.effect === 'down' ? 'stop' : 'start'
    const time = new Date(clock.now()).toISOString()
    const what = { verb, reason: 'undone', result: 'failed', duration: 0, trigger: 'controller' } as const
    try {
      history.append({ time, facility, supervisor, service, ...what, step: `${facility}/${verb}`, error })
    } catch (problem) {
      log.warn({ facility, error: messageOf(problem) }, 'the history could not be written')
    }
  }

  function tellOthers(facility: string, often: Often): void {
    if (told.has(facility)) return
    told.set(facility, 'others')
    const minutes = Math.max(1, Math.round(often.span / 60_000))
    const times = `${often.count} times in ${count(minutes, 'minute')}`
    log.warn({ facility }, `${facility}: ${describeUndoing(often)}, ${times}; Reeve brings it about again each time`)
  }

  function forget(facility: string): void {
    watch.forget(facility)
    told.delete(facility)
  }

  function judge({ facility: { name, digest } }: ResolvedFacility, { steps }: FacilityPlan, sighting: Sighting): void {
    // What a circle undid before it came to rest doesn't count afterwards.
    if (told.get(name) === 'circle' && !retries.failures(name, digest).isUndone) forget(name)
    const undone = watch.seen(name, digest, steps, sighting)
    const often = watch.often(name)
    if (!often) told.delete(name)
    if (!undone || !often) return
    const circle = watch.circleOf(name)
    if (circle.length > 0) stall(circle)
    else tellOthers(name, often)
  }

  return {
    noted: event => watch.noted(event),
    settled: (...lane) => watch.settled(...lane),
    looked(plans, { targets, snapshot }, began) {
      const byName = new Map(plans.map(plan => [plan.name, plan]))
      for (const target of targets) {
        const plan = byName.get(target.facility.name)
        if (!plan || plan.blocked !== undefined || plan.suspended) continue
        judge(target, plan, sightingOf(began, snapshot.services.get(locationKey(target.facility))))
      }
    },
    declared(facilities) {
      for (const [name, before] of known) {
        const now = facilities.get(name)
        if (now?.digest === before.digest && now.suspend === before.suspend) continue
        forget(name)
        retries.release(name)
      }
      known = facilities
      watch.keep(facilities)
    },
    undoneByOthers(name) {
      const often = watch.often(name)
      return often && watch.circleOf(name).length === 0 ? `${describeUndoing(often)}, over and over` : undefined
    },
  }
}

/** Same text for all of them, as they are reported together. */
function describeCircle(circle: readonly string[], watch: UndoingWatch): string {
  const names = [circle.slice(0, -1).join(', '), circle.at(-1)].join(' and ')
  const what = circle.flatMap(name => {
    const often = watch.often(name)
    return often ? [describeEffect(often.effect, name)] : []
  })
  return (
    `facilities ${names} undo each other's steps: whenever one is acted on, another is undone (${what.join(', ')}). ` +
    'Nothing more is done about them but a try now and then. See to what makes the one act on the other (a hook in a script, ' +
    'one file under two paths, what units say of each other), or change the manifest of one'
  )
}
