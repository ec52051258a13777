import type { Applied } from '../core/plan-input.ts'
import type { Plan } from '../core/step.ts'
import type { InstanceRecord } from './instances.ts'
import type { Outlook } from './outlook.ts'
import type { StateRecord } from './state-files.ts'

/**
 * The record after a look at the host: a facility that needs nothing counts as applied, one that is gone is forgotten,
 * and an instance is remembered while it holds something of ours.
 */
export function nextRecord(
  outlook: Pick<Outlook, 'record' | 'instances' | 'survey' | 'plan'>,
  owner: string,
): StateRecord {
  const { record, instances, survey, plan } = outlook
  return {
    applied: nextApplied(record, survey, plan, owner),
    instances: nextInstances(instances, survey, record, owner),
  }
}

function nextApplied(record: StateRecord, survey: Outlook['survey'], plan: Plan, owner: string): Map<string, Applied> {
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  const declared = new Set(survey.targets.map(target => target.facility.name))
  const owned = new Set(
    survey.world.owned.filter(({ ownership }) => ownership.owner === owner).map(({ ownership }) => ownership.facility),
  )
  const applied = new Map<string, Applied>()
  for (const [name, before] of record.applied) {
    if (declared.has(name) || owned.has(name) || survey.world.unavailable.has(before.supervisor))
      applied.set(name, before)
  }
  for (const { facility } of survey.targets) {
    const found = plans.get(facility.name)
    if (!found || found.steps.length > 0 || found.blocked !== undefined || facility.suspend) continue
    const { digest, supervisor, service } = facility
    applied.set(facility.name, { digest, supervisor, service })
  }
  return applied
}

function nextInstances(
  instances: Outlook['instances'],
  survey: Outlook['survey'],
  record: StateRecord,
  owner: string,
): Map<string, InstanceRecord> {
  const holding = new Set(
    survey.world.owned.filter(({ ownership }) => ownership.owner === owner).map(({ supervisor }) => supervisor),
  )
  const kept = new Map<string, InstanceRecord>()
  for (const [name, { instance }] of instances) {
    const isUnreadable = survey.world.unavailable.has(name) && record.instances.has(name)
    if (holding.has(name) || isUnreadable) kept.set(name, { type: instance.type, options: instance.options })
  }
  return kept
}
