import type { Facility } from '../model/facility.ts'
import { findRemovalProblem, type RemovalLimit } from '../plan/removal-guard.ts'
import type { FacilityPlan, Plan } from '../plan/step.ts'
import { compareText } from '../text/text-order.ts'
import { findOvertaking } from './overtaking.ts'
import { findOutOfTurn, type RolloutGate } from './rollout-turn.ts'

/**
 * How long (ms) a manifest has to have been gone before its service is removed. A writer that empties a file before it
 * fills it, or a rename seen in two halves, is over by then.
 */
export const REMOVAL_SETTLING = 2_000

/** Controller state besides the plan. All times in ms of a monotonic clock. */
export interface Known {
  readonly now: number
  /** Facilities with a lane now. */
  readonly busy: ReadonlySet<string>
  /** Facilities that had a lane when the refresh of this plan began. */
  readonly wasBusy: ReadonlySet<string>
  /** Retry times of facilities that failed as they are declared now. */
  readonly heldUntil: ReadonlyMap<string, number>
  /** Facilities whose cause of failure is gone: retried at once. */
  readonly encouraged: ReadonlySet<string>
  /** `agreed`: a person confirmed the plan with its removals. */
  readonly pruning: Pruning | 'agreed'
  /** A pass that somebody asks for comes first. */
  readonly isHeldBack: boolean
  /** The host is in report mode: nothing begins. */
  readonly isReporting: boolean
  /** Facilities whose file claims could not be saved (E19). */
  readonly unwritten: ReadonlySet<string>
  /** Absent: no revision is carried out bit by bit. */
  readonly gate?: RolloutGate | undefined
}

export interface Pruning {
  /** When the manifests were read for this plan: what they lack was gone then. Undefined: they weren't. */
  readonly readAt: number | undefined
  /** All manifests are known. */
  readonly isComplete: boolean
  readonly missingSince: ReadonlyMap<string, number>
  /** How many facilities are owned on this host. */
  readonly owned: number
  readonly removalLimit: RemovalLimit
  readonly allowRemovals: number
  /** Command that allows the removals. */
  readonly command: string
}

export interface Decision {
  /** Sorted by name, as what waits. */
  readonly start: readonly FacilityPlan[]
  readonly wait: readonly Waiting[]
  /** Absent where the manifests weren't read for it, or removals weren't its concern. */
  readonly removals?: RemovalJudgement
}

export interface RemovalJudgement {
  /** Services to be removed that wait. */
  readonly missing: ReadonlySet<string>
  /** Why they wait. */
  readonly problem?: string
}

/** Work that doesn't begin now. It is decided anew at that time, or once that has happened. */
export interface Waiting {
  readonly facility: string
  readonly why: WaitReason
  readonly until: number | Occasion
}

export type Occasion =
  | 'asked-pass-ended'
  | 'lane-ended'
  | 'facility-healthy'
  | 'next-look'
  | 'manifests-read'
  | 'mode-changed'
  | 'state-written'

export type WaitReason = Occurrence | 'backoff' | 'settling'

type Occurrence =
  | 'reporting' // the host is in report mode, whoever asks
  | 'held-back' // a pass that somebody asked for is under way
  | 'busy'
  | 'just-ended' // its removal was under way when it was looked at, and may have succeeded since
  | 'unread' // to be removed, and the manifests weren't read for this plan, or before they had settled
  | 'incomplete' // to be removed, and not all manifests are known
  | 'refused' // too many would be removed
  | 'unwritten'
  | 'out-of-turn' // its revision is carried out bit by bit, or not any further
  | 'overtaking' // it needs steps of a facility that waits itself

const occasions: Readonly<Record<Occurrence, Occasion>> = {
  reporting: 'mode-changed',
  'held-back': 'asked-pass-ended',
  busy: 'lane-ended',
  'just-ended': 'next-look',
  unread: 'manifests-read',
  incomplete: 'manifests-read',
  refused: 'manifests-read',
  unwritten: 'state-written',
  'out-of-turn': 'facility-healthy',
  overtaking: 'lane-ended',
}

/** Decision: what of a plan begins now, and what waits for what. */
export function decide(plan: Pick<Plan, 'facilities'>, known: Known): Decision {
  const facilities = plan.facilities.toSorted((left, right) => compareText(left.name, right.name))
  const removals = judgeRemovals(facilities, known)
  const waits = new Map<string, Waiting>()
  const ready: FacilityPlan[] = []
  for (const facility of facilities) {
    if (facility.steps.length === 0) continue
    const wait = findWait(facility, known, removals)
    if (wait) waits.set(facility.name, wait)
    else ready.push(facility)
  }
  const later = findOutOfTurn(ready, { facilities, busy: known.busy }, known.gate)
  for (const name of later) waits.set(name, waitFor(name, 'out-of-turn'))
  const inTurn = ready.filter(({ name }) => !later.has(name))
  for (const { name } of findOvertaking(inTurn, facilities)) waits.set(name, waitFor(name, 'overtaking'))
  return {
    start: ready.filter(({ name }) => !waits.has(name)),
    wait: facilities.flatMap(({ name }) => waits.get(name) ?? []),
    ...(removals && { removals }),
  }
}

/**
 * E6: facilities of which what is under way was made for an older manifest. `underWay`: the digest that each lane was made for, `''` for a
 * removal.
 */
export function findOvertaken(
  underWay: ReadonlyMap<string, string>,
  declared: ReadonlyMap<string, Pick<Facility, 'digest' | 'suspend'>>,
  suspended: ReadonlySet<string>,
): string[] {
  return [...underWay].flatMap(([name, digest]) => {
    const now = declared.get(name)
    const isOvertaken = now ? now.suspend || now.digest !== digest : digest !== '' || suspended.has(name)
    return isOvertaken ? name : []
  })
}

function judgeRemovals(facilities: readonly FacilityPlan[], known: Known): RemovalJudgement | undefined {
  const { pruning, busy, isHeldBack } = known
  if (isHeldBack || pruning === 'agreed' || pruning.readAt === undefined) return undefined
  if (!pruning.isComplete) return { missing: new Set() }
  // Removals under way were allowed already.
  const removals = facilities.filter(({ name, change }) => change === 'remove' && !busy.has(name))
  const { owned, removalLimit, command, allowRemovals } = pruning
  const problem = findRemovalProblem({ facilities: removals }, owned, removalLimit, command, allowRemovals)
  return { missing: new Set(removals.map(({ name }) => name)), ...(problem !== undefined && { problem }) }
}

function findWait(plan: FacilityPlan, known: Known, removals: RemovalJudgement | undefined): Waiting | undefined {
  const { name, renamedFrom = name, change } = plan
  const { busy, now, unwritten } = known
  if (known.isReporting) return waitFor(name, 'reporting')
  if (known.isHeldBack) return waitFor(name, 'held-back')
  if (busy.has(name) || busy.has(renamedFrom)) return waitFor(name, 'busy')
  const removalWait = change === 'remove' ? findRemovalWait(name, known, removals) : undefined
  if (removalWait) return removalWait
  const heldUntil = known.heldUntil.get(name) ?? now
  if (heldUntil > now && !known.encouraged.has(name)) return { facility: name, why: 'backoff', until: heldUntil }
  return unwritten.has(name) ? waitFor(name, 'unwritten') : undefined
}

function findRemovalWait(
  name: string,
  { now, pruning, wasBusy }: Known,
  removals: RemovalJudgement | undefined,
): Waiting | undefined {
  if (wasBusy.has(name)) return waitFor(name, 'just-ended')
  if (pruning === 'agreed') return undefined
  const { readAt } = pruning
  if (readAt === undefined) return waitFor(name, 'unread')
  if (!pruning.isComplete) return waitFor(name, 'incomplete')
  if (removals?.problem !== undefined) return waitFor(name, 'refused')
  const until = (pruning.missingSince.get(name) ?? now) + REMOVAL_SETTLING
  if (until > now) return { facility: name, why: 'settling', until }
  // The refresh after the reading took long, and the manifest may be back.
  return until > readAt ? waitFor(name, 'unread') : undefined
}

function waitFor(facility: string, why: Occurrence): Waiting {
  return { facility, why, until: occasions[why] }
}
