import type { Diagnostic } from '../model/diagnostic.ts'
import { placeOf } from '../state/place.ts'
import { withoutMark } from '../state/revision-mark.ts'
import type { OwnedLocation } from '../state/snapshot.ts'
import { compareText } from '../text/text-order.ts'
import { blockDependents, spareUnowned } from './blocking.ts'
import { blockContradictions } from './contradiction.ts'
import { linkEndingConflicts } from './ending-conflict.ts'
import { planFacility } from './facility-plan.ts'
import { findForsakenFiles, linkHandovers } from './file-handover.ts'
import { blockLeavingNames, findLeavingNames } from './leaving-name.ts'
import { blockMeetings, linkMeetings } from './meeting.ts'
import { makeContext, type PlanContext, type PlanInput } from './plan-input.ts'
import { findOrphans, planRemoval } from './removal-plan.ts'
import { openReturns } from './rival.ts'
import { planRollback } from './rollback.ts'
import type { FacilityPlan, Plan, PlanSummary } from './step.ts'
import { linkFacilities } from './step-order.ts'
import { blockTakenPorts } from './taken-port.ts'

/** Hexadecimal SHA-256 of a text; injected, as the core imports nothing of the platform. */
export type Hash = (text: string) => string

/** Plan from the snapshot to the resolved facilities. Synchronous, pure and total. */
export function makePlan(input: PlanInput, hash: Hash): Plan {
  const targets = [...input.targets].sort((a, b) => compareText(a.facility.name, b.facility.name))
  const context = makeContext({ ...input, targets })
  const first = planTargets(context, hash, planRemovals(context))
  const forsaken = findForsakenFiles(first, context)
  const settled = forsaken.size === 0 ? context : withoutFiles(context, forsaken)
  const removals = planRemovals(settled)
  const plans = [...(settled === context ? first : planTargets(settled, hash, removals)), ...removals]
  const needs = collectNeeds(settled)
  const link = (some: readonly FacilityPlan[]): FacilityPlan[] =>
    linkHandovers(linkEndingConflicts(linkFacilities(some, needs), settled.snapshot), settled)
  return sealPlan(linkMeetings(plans, link, settled, hash), settled, hash)
}

/** Plan that removes the named facilities, or everything that is owned: `reeve down`. */
export function makeRemovalPlan(
  names: readonly string[] | undefined,
  input: Pick<PlanInput, 'snapshot' | 'owner' | 'claims'>,
  hash: Hash,
): Plan {
  const chosen = names && new Set(names)
  const context = withStaying(makeContext({ targets: [], applied: new Map(), prune: true, ...input }), chosen)
  const plans: FacilityPlan[] = []
  for (const [name, locations] of context.ownedBy) {
    if (chosen && !chosen.has(name)) continue
    plans.push(planRemoval(name, locations, 'requested', context))
  }
  return sealPlan(linkFacilities(plans, collectNeeds(context)), context, hash)
}

/** Keeps files that markers of the other facilities name from being removed. */
function withStaying(context: PlanContext, chosen: ReadonlySet<string> | undefined): PlanContext {
  if (!chosen) return context
  const declaredFiles = new Map<string, string>()
  for (const [name, locations] of context.ownedBy) {
    if (chosen.has(name)) continue
    for (const { ownership } of locations) {
      for (const path of ownership.files) declaredFiles.set(placeOf(path, context.snapshot), name)
    }
  }
  return { ...context, declaredFiles }
}

function planTargets(context: PlanContext, hash: Hash, removals: readonly FacilityPlan[]): FacilityPlan[] {
  const plans = blockContradictions(
    context.targets.map(target => planFacility(target, context)),
    context,
  )
  const leaving = findLeavingNames(context)
  const apart = blockMeetings(blockLeavingNames(plans, leaving, context), context, hash)
  const able = blockDependents(blockTakenPorts(apart, removals, context, hash), leaving.losing, context)
  return spareUnowned(able, context)
}

function planRemovals(context: PlanContext): FacilityPlan[] {
  if (!context.prune) return []
  return [...findOrphans(context)].map(([name, locations]) => planRemoval(name, locations, 'pruned', context))
}

function withoutFiles(context: PlanContext, places: ReadonlySet<string>): PlanContext {
  return { ...context, declaredFiles: new Map([...context.declaredFiles].filter(([place]) => !places.has(place))) }
}

/** `dependsOn` by facility: from the manifests, and for removed facilities from their markers. */
function collectNeeds({ newNames, ownedBy, targets }: PlanContext): Map<string, readonly string[]> {
  const needs = new Map<string, readonly string[]>()
  for (const [name, locations] of ownedBy) {
    needs.set(
      name,
      uniteNeeds(locations).map(needed => newNames.get(needed) ?? needed),
    )
  }
  for (const { facility } of targets) needs.set(facility.name, facility.dependsOn)
  return needs
}

function uniteNeeds(locations: readonly OwnedLocation[]): string[] {
  return [...new Set(locations.flatMap(({ ownership }) => ownership.dependsOn))]
}

function sealPlan(plans: readonly FacilityPlan[], input: PlanContext, hash: Hash): Plan {
  const mayReturn = openReturns(plans, input)
  const targets = new Map(input.targets.map(target => [target.facility.name, target]))
  const facilities = plans
    .map(plan => {
      const rollback = planRollback(plan, targets.get(plan.name))
      return rollback && mayReturn(plan.name, rollback.to) ? { ...plan, rollback } : plan
    })
    .sort((a, b) => compareText(a.name, b.name))
  const diagnostics = [...(input.diagnostics ?? [])].sort(compareDiagnostics)
  const unsealed = { formatVersion: 1 as const, facilities, summary: summarise(facilities), diagnostics }
  // Diffs are redacted, so the digest covers the digests of facilities as well.
  const declared = input.targets.map(({ facility }) => `${facility.name} ${facility.digest}`)
  // Withheld steps are no part of the work.
  const work = { ...unsealed, facilities: facilities.map(({ withheld: _, ...facility }) => facility) }
  const mark = input.targets.find(target => target.mark !== undefined)?.mark
  return { ...unsealed, digest: hash(withoutMark(JSON.stringify([work, declared]), mark)) }
}

function summarise(facilities: readonly FacilityPlan[]): PlanSummary {
  const summary = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }
  for (const facility of facilities) {
    // A blocked facility that is stopped or disabled counts as both.
    if (facility.blocked !== undefined) summary.blocked += 1
    if (facility.change !== 'none') summary[facility.change] += 1
    else if (facility.blocked === undefined) summary.unchanged += 1
  }
  return summary
}

export function compareDiagnostics(left: Diagnostic, right: Diagnostic): number {
  return (
    compareText(left.file, right.file) ||
    left.line - right.line ||
    left.column - right.column ||
    compareText(left.code, right.code) ||
    compareText(left.message, right.message)
  )
}
