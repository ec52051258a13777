import { dependenciesFirst } from './dependency-order.ts'
import { planFacility } from './facility-plan.ts'
import type { PlanContext, PlanInput } from './plan-input.ts'
import { findOrphans, planRemoval } from './removal-plan.ts'
import type { FacilityPlan, Plan, PlanSummary } from './step.ts'
import { findStart } from './step-chain.ts'
import { linkFacilities } from './step-order.ts'
import type { Target } from './target.ts'
import { locationKey, type OwnedLocation, type World } from './world.ts'

/** Hexadecimal SHA-256 of a text. Given from outside: the core does no I/O and imports no platform. */
export type Hash = (text: string) => string

/** The plan that leads from `world` to `targets`. Synchronous, pure, total: it has an answer to every input. */
export function makePlan(input: PlanInput, hash: Hash): Plan {
  const context = makeContext(input)
  const plans = input.targets.map(target => planFacility(target, context))
  if (input.prune) {
    for (const [name, locations] of findOrphans(context)) {
      plans.push(planRemoval(name, locations, 'pruned', context))
    }
  }
  return sealPlan(linkFacilities(blockDependents(plans, input), collectNeeds(input)), input, hash)
}

/** The plan that removes the named facilities, or all that is owned: `reeve down`. */
export function makeRemovalPlan(
  names: readonly string[] | undefined,
  input: Pick<PlanInput, 'world' | 'owner'>,
  hash: Hash,
): Plan {
  const everything: PlanInput = { targets: [], applied: new Map(), prune: true, ...input }
  const context = makeContext(everything)
  const byFacility = new Map<string, OwnedLocation[]>()
  for (const location of context.owned.values()) {
    const { facility } = location.ownership
    if (names && !names.includes(facility)) continue
    byFacility.set(facility, [...(byFacility.get(facility) ?? []), location])
  }
  const plans = [...byFacility].map(([name, locations]) => planRemoval(name, locations, 'requested', context))
  return sealPlan(linkFacilities(plans, collectNeeds(everything)), everything, hash)
}

export function makeContext(input: PlanInput): PlanContext {
  const owned = new Map<string, OwnedLocation>()
  const ownedFiles = new Set<string>()
  for (const location of [...input.world.owned].sort((a, b) => compare(locationKey(a), locationKey(b)))) {
    if (location.ownership.owner !== input.owner) continue
    owned.set(locationKey(location), location)
    for (const path of location.ownership.files) ownedFiles.add(path)
  }
  const declared = new Set<string>()
  const claimed = new Set<string>()
  const declaredFiles = new Set<string>()
  for (const facility of [...input.targets.map(target => target.facility), ...(input.untouched ?? [])]) {
    declared.add(facility.name)
    claimed.add(locationKey(facility))
    for (const file of facility.files) declaredFiles.add(file.path)
  }
  return { ...input, owned, ownedFiles, declared, claimed, declaredFiles }
}

/** `dependsOn` by facility: from the manifests, and for what is to go from its marker. */
function collectNeeds(input: PlanInput): Map<string, readonly string[]> {
  const needs = new Map<string, readonly string[]>()
  for (const { ownership } of input.world.owned) {
    if (ownership.owner === input.owner) needs.set(ownership.facility, ownership.dependsOn)
  }
  for (const { facility } of input.targets) needs.set(facility.name, facility.dependsOn)
  return needs
}

/** A facility that would be started after one that can't be started in this plan waits, and says for whom. */
function blockDependents(plans: readonly FacilityPlan[], input: PlanInput): FacilityPlan[] {
  const targets = new Map(input.targets.map(target => [target.facility.name, target]))
  const result = new Map(plans.map(plan => [plan.name, plan]))
  const order = dependenciesFirst(new Map(input.targets.map(({ facility }) => [facility.name, facility.dependsOn])))
  for (const name of order) {
    const plan = result.get(name)
    if (!plan || plan.blocked !== undefined || !findStart(plan.steps)) continue
    for (const dependency of targets.get(name)?.facility.dependsOn ?? []) {
      const why = whyNotStarted(targets.get(dependency), result.get(dependency), input.world)
      if (why === undefined) continue
      result.set(name, { ...plan, change: 'none', steps: [], blocked: `it depends on ${dependency}, which ${why}` })
      break
    }
  }
  return [...result.values()]
}

/** Undefined also if the dependency isn't in this pass: the executor waits for it. */
function whyNotStarted(target: Target | undefined, plan: FacilityPlan | undefined, world: World): string | undefined {
  if (!target || !plan || isRunning(target, world)) return undefined
  if (plan.blocked !== undefined) return `is blocked: ${plan.blocked}`
  if (findStart(plan.steps)) return undefined
  if (target.facility.state === 'stopped') return 'is declared stopped'
  if (target.facility.suspend) return 'is suspended and not running'
  return undefined
}

function isRunning(target: Target, world: World): boolean {
  return world.services.get(locationKey(target.facility))?.state === 'running'
}

function sealPlan(plans: readonly FacilityPlan[], input: PlanInput, hash: Hash): Plan {
  const facilities = [...plans].sort((a, b) => compare(a.name, b.name))
  const diagnostics = [...(input.diagnostics ?? [])]
  const unsealed = { formatVersion: 1 as const, facilities, summary: summarise(facilities), diagnostics }
  // Diffs are redacted, so what is declared goes into the digest by its own.
  const declared = input.targets.map(({ facility }) => `${facility.name} ${facility.digest}`).sort()
  return { ...unsealed, digest: hash(JSON.stringify([unsealed, declared])) }
}

function summarise(facilities: readonly FacilityPlan[]): PlanSummary {
  const summary = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }
  for (const facility of facilities) {
    if (facility.blocked !== undefined) summary.blocked += 1
    else if (facility.change === 'none') summary.unchanged += 1
    else summary[facility.change] += 1
  }
  return summary
}

/** By code unit: the same on every machine, whatever its locale. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
