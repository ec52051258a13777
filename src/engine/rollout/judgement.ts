import type { FacilityRules } from '../../core/model/rollout.ts'
import type { Standing } from './standing.ts'

/** How far a revision has come. All times in ms of a monotonic clock. Lost, it is judged from the beginning. */
export interface Progress {
  /** When a facility last became healthy, or the revision began. */
  readonly advancedAt: number
  readonly facilities: ReadonlyMap<string, FacilityProgress>
  /** A cause outside of the revision kept it from going on. */
  readonly isStalled?: boolean
}

export interface FacilityProgress {
  /** When something was first done about it. Absent: nothing has been. */
  readonly begunAt?: number
  /** Since when it has been ready, with this process. Absent: it isn't. */
  readonly readySince?: number
  readonly run?: string
  /** It has been ready for long enough. */
  readonly isHealthy: boolean
}

export interface JudgementInput {
  /** Of each facility that the revision changes. */
  readonly standings: ReadonlyMap<string, Standing>
  readonly rulesOf: (facility: string) => Pick<FacilityRules, 'minHealthyTime' | 'healthyDeadline'>
  readonly progressDeadline: number
  readonly now: number
}

export interface Judgement {
  readonly progress: Progress
  /** `stalled`: a cause outside of the revision keeps it from going on, and its deadlines wait. */
  readonly verdict: 'healthy' | 'failed' | 'stalled' | 'progressing'
  /** Names the facility, where there is one. */
  readonly message?: string
  /** When it is to be judged again at the latest. Absent: when something changes. */
  readonly next?: number
}

export function beginProgress(now: number): Progress {
  return { advancedAt: now, facilities: new Map() }
}

/** Judges a revision by what it changes: what it doesn't touch, fails it not. */
export function judge(before: Progress, input: JudgementInput): Judgement {
  const { standings, now } = input
  const facilities = new Map<string, FacilityProgress>()
  let advancedAt = before.advancedAt
  for (const [name, standing] of standings) {
    const former = before.facilities.get(name)
    const found = advance(former, standing, input.rulesOf(name).minHealthyTime, now)
    if (found.isHealthy && !former?.isHealthy) advancedAt = now
    facilities.set(name, found)
  }
  const [stalled] = [...standings].filter(([, { kind }]) => kind === 'stalled')
  if (stalled || before.isStalled) advancedAt = now
  const progress = { advancedAt, facilities, isStalled: stalled !== undefined }
  const failure = findFailure(progress, input)
  if (failure !== undefined) return { progress, verdict: 'failed', message: failure }
  if ([...standings].every(([name, { kind }]) => kind === 'ready' && facilities.get(name)?.isHealthy)) {
    return { progress, verdict: 'healthy' }
  }
  const next = findNext(progress, input, stalled !== undefined)
  const { verdict, message } = describe(standings, progress, stalled)
  return { progress, verdict, message, ...(next !== undefined && { next }) }
}

function advance(
  before: FacilityProgress | undefined,
  { kind, run = '' }: Standing,
  minHealthyTime: number,
  now: number,
): FacilityProgress {
  if (kind === 'waiting' || kind === 'stalled') return { isHealthy: false }
  const begunAt = before?.begunAt ?? now
  if (kind !== 'ready') return { begunAt, isHealthy: false }
  const readySince = before?.run === run ? (before.readySince ?? now) : now
  return { begunAt, readySince, run, isHealthy: now - readySince >= minHealthyTime }
}

function findFailure({ advancedAt, facilities }: Progress, input: JudgementInput): string | undefined {
  const { standings, rulesOf, progressDeadline, now } = input
  for (const [name, { kind, message }] of standings) if (kind === 'failed') return `${name}: ${message}`
  for (const [name, { begunAt, isHealthy }] of facilities) {
    const { healthyDeadline } = rulesOf(name)
    if (isHealthy || begunAt === undefined || now - begunAt < healthyDeadline) continue
    return `${name} did not become healthy within ${seconds(healthyDeadline)}: ${standings.get(name)?.message ?? ''}`
  }
  const missing = [...facilities].find(([, { isHealthy }]) => !isHealthy)
  if (!missing || now - advancedAt < progressDeadline) return undefined
  const [name] = missing
  return `no facility became healthy for ${seconds(progressDeadline)}; ${name}: ${standings.get(name)?.message ?? ''}`
}

function findNext({ advancedAt, facilities }: Progress, input: JudgementInput, isStalled: boolean): number | undefined {
  const moments = [...facilities].flatMap(([name, { begunAt, readySince, isHealthy }]) => {
    if (isHealthy) return []
    const { minHealthyTime, healthyDeadline } = input.rulesOf(name)
    return [
      ...(readySince === undefined ? [] : [readySince + minHealthyTime]),
      ...(begunAt === undefined ? [] : [begunAt + healthyDeadline]),
    ]
  })
  if (!isStalled) moments.push(advancedAt + input.progressDeadline)
  return moments.length === 0 ? undefined : Math.min(...moments)
}

function describe(
  standings: ReadonlyMap<string, Standing>,
  { facilities }: Progress,
  stalled: readonly [string, Standing] | undefined,
): { readonly verdict: 'stalled' | 'progressing'; readonly message: string } {
  if (stalled) return { verdict: 'stalled', message: `${stalled[0]}: ${stalled[1].message}` }
  const healthy = [...facilities.values()].filter(({ isHealthy }) => isHealthy).length
  return { verdict: 'progressing', message: `${healthy} of ${standings.size} changed facilities are healthy` }
}

function seconds(time: number): string {
  return `${time / 1_000} s`
}
