import type { Facility } from '../core/facility.ts'
import type { Applied } from '../core/plan-input.ts'
import type { Plan } from '../core/step.ts'
import type { BoundInstance, InstanceRecord } from './instances.ts'
import type { StateRecord } from './state-files.ts'
import type { Survey } from './survey.ts'

export interface RecordInput {
  readonly record: StateRecord
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly survey: Survey
  readonly plan: Plan
  readonly owner: string
  /** Declared facilities that the survey left out. */
  readonly untouched?: readonly Facility[]
}

/**
 * The record after a full look at the host: a facility that needs nothing counts as applied, one that is gone is
 * forgotten, and an instance is remembered while it holds something of ours.
 */
export function nextRecord(input: RecordInput): StateRecord {
  const { record, survey, owner } = input
  const ours = survey.world.owned.filter(({ ownership }) => ownership.owner === owner)
  const known = new Set([
    ...survey.targets.map(({ facility }) => facility.name),
    ...(input.untouched ?? []).map(({ name }) => name),
    ...ours.map(({ ownership }) => ownership.facility),
  ])
  const kept = [...record.applied].filter(
    ([name, { supervisor }]) => known.has(name) || survey.world.unavailable.has(supervisor),
  )
  const holding = new Set(ours.map(({ supervisor }) => supervisor))
  const instances = new Map<string, InstanceRecord>()
  for (const [name, { instance }] of input.instances) {
    const isUnreadable = survey.world.unavailable.has(name) && record.instances.has(name)
    if (holding.has(name) || isUnreadable) instances.set(name, { type: instance.type, options: instance.options })
  }
  return { applied: addApplied(new Map(kept), survey, input.plan), instances }
}

/** The record after a look at some facilities only: nothing is forgotten. */
export function amendRecord(record: StateRecord, survey: Survey, plan: Plan): StateRecord {
  return { ...record, applied: addApplied(new Map(record.applied), survey, plan) }
}

function addApplied(applied: Map<string, Applied>, survey: Survey, plan: Plan): Map<string, Applied> {
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  for (const { facility } of survey.targets) {
    const found = plans.get(facility.name)
    if (!found || found.steps.length > 0 || found.blocked !== undefined || facility.suspend) continue
    const { digest, supervisor, service } = facility
    applied.set(facility.name, { digest, supervisor, service })
  }
  return applied
}
