import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import { partsOf } from '../../src/core/plan/applied-parts.ts'
import { observeClaims } from '../../src/core/plan/claim-keeping.ts'
import type { Applied, PlanInput } from '../../src/core/plan/plan-input.ts'
import { makePlan } from '../../src/core/plan/planning.ts'
import type { FacilityPlan, Plan } from '../../src/core/plan/step.ts'
import type { Observed, ObservedFile } from '../../src/core/state/observed.ts'
import type { ServiceTies } from '../../src/core/state/relation.ts'
import { type Location, locationKey, type OwnedLocation, type Snapshot } from '../../src/core/state/snapshot.ts'
import { bytesOf, type Declaration, markerOf, OWNER, resolveFacility, sha256 } from './declaration.ts'

/** A facility with its observed state: one row of a table test. */
export interface PlanningCase {
  readonly target: ResolvedFacility
  readonly observed: Observed | undefined
  readonly files: ReadonlyMap<string, ObservedFile>
  readonly applied?: Applied
}

/** Installed, started and recorded as declared, except for `found`. */
export function asDeclared(declaration: Declaration, found: Partial<Observed> = {}): PlanningCase {
  return madeFrom(declaration, declaration, found)
}

/** The host is as an older manifest declared it. */
export function madeFrom(declaration: Declaration, older: Declaration, found: Partial<Observed> = {}): PlanningCase {
  const target = resolveFacility(declaration)
  const before = resolveFacility(older)
  return {
    target,
    observed: { ...observeAsDeclared(before), ...found },
    files: filesAsDeclared(before),
    applied: {
      digest: before.facility.digest,
      supervisor: before.facility.supervisor,
      service: before.facility.service,
      files: before.facility.files.map(file => file.path),
      parts: partsOf(before),
    },
  }
}

/** Nothing of it exists yet. */
export function notThere(declaration: Declaration, found: Partial<Observed> = {}): PlanningCase {
  const target = resolveFacility(declaration)
  const { service } = target.facility
  const files = new Map<string, ObservedFile>()
  for (const path of filesAsDeclared(target).keys()) files.set(path, { kind: 'absent' })
  return { target, observed: { service, state: 'absent', enabled: false, supervised: true, ...found }, files }
}

/** A service of that name exists without a marker of ours. */
export function unowned(declaration: Declaration, found: Partial<Observed> = {}): PlanningCase {
  return notThere(declaration, { state: 'running', enabled: true, pid: 7, ...found })
}

export function withoutRecord(row: PlanningCase): PlanningCase {
  const { applied: _applied, ...rest } = row
  return rest
}

export function withFile(row: PlanningCase, path: string, found: ObservedFile | string): PlanningCase {
  const file: ObservedFile =
    typeof found === 'string'
      ? { kind: 'file', content: bytesOf(found), digest: sha256(found), mode: 0o644, uid: 0, gid: 0 }
      : found
  return { ...row, files: new Map(row.files).set(path, file) }
}

export function definitionPathOf(row: PlanningCase): string {
  return row.target.definition?.files[0]?.path ?? ''
}

/** Plan for these facilities together; `more` overrides or adds. */
export function planCases(rows: readonly PlanningCase[], more: PlanOptions = {}): Plan {
  const services = new Map<string, Observed>()
  const owned: OwnedLocation[] = [...(more.owned ?? [])]
  const files = new Map<string, ObservedFile>()
  const applied = new Map<string, Applied>()
  for (const { target, observed, files: found, applied: before } of rows) {
    const { supervisor, service, name } = target.facility
    if (observed) services.set(locationKey(target.facility), observed)
    if (observed?.ownership) owned.push({ supervisor, service, ownership: observed.ownership })
    for (const [path, file] of found) files.set(path, file)
    if (before) applied.set(name, before)
  }
  for (const [key, observed] of Object.entries(more.services ?? {})) services.set(key, observed)
  const {
    owned: _owned,
    services: _services,
    unavailable,
    controllers = [],
    ties = {},
    formerTies = {},
    ...input
  } = more
  const targets = rows.map(row => row.target)
  const gone = new Map(Object.entries(unavailable ?? {}))
  const related = new Map(Object.entries(ties))
  const former = new Map(Object.entries(formerTies))
  const snapshot: Snapshot = {
    services,
    owned,
    unavailable: gone,
    files,
    controllers,
    ties: related,
    formerTies: former,
  }
  return makePlan(
    {
      targets,
      snapshot,
      claims: observeClaims(new Map(), snapshot, targets, OWNER),
      owner: OWNER,
      applied,
      prune: true,
      ...input,
    },
    sha256,
  )
}

export interface PlanOptions extends Partial<Omit<PlanInput, 'snapshot' | 'targets'>> {
  readonly owned?: readonly OwnedLocation[]
  /** By `locationKey`. */
  readonly services?: Readonly<Record<string, Observed>>
  readonly unavailable?: Readonly<Record<string, string>>
  readonly controllers?: readonly Location[]
  /** By `locationKey`. */
  readonly ties?: Readonly<Record<string, ServiceTies>>
  /** By `locationKey`. */
  readonly formerTies?: Readonly<Record<string, ServiceTies>>
}

export function planOne(row: PlanningCase, more: PlanOptions = {}): FacilityPlan {
  return facilityIn(planCases([row], more), row.target.facility.name)
}

export function facilityIn(plan: Plan, name: string): FacilityPlan {
  const found = plan.facilities.find(facility => facility.name === name)
  if (!found) throw new Error(`the plan has no facility ${name}`)
  return found
}

/** `start new`, `write-file file-changed`: verb and reason. */
export function acts(plan: FacilityPlan): string[] {
  return plan.steps.map(step => `${step.verb} ${step.reason}`)
}

/** An owned service, as declared, at a place of its own. */
export function ownedAt(
  declaration: Declaration,
  found: Partial<Observed> = {},
): {
  readonly location: OwnedLocation
  readonly key: string
  readonly observed: Observed
} {
  const target = resolveFacility(declaration)
  const { supervisor, service } = target.facility
  const ownership = found.ownership ?? markerOf(target.facility)
  return {
    location: { supervisor, service, ownership },
    key: locationKey({ supervisor, service }),
    observed: { ...observeAsDeclared(target), ...found },
  }
}

function observeAsDeclared(target: ResolvedFacility): Observed {
  const { facility, definition, files } = target
  const running = facility.state !== 'stopped'
  return {
    service: facility.service,
    state: running ? 'running' : 'stopped',
    enabled: facility.enabled === 'unmanaged' ? false : facility.enabled,
    supervised: true,
    ...(definition ? { ownership: markerOf(facility) } : {}),
    ...(running && definition
      ? {
          loaded: {
            definition: definition.digest,
            files: Object.fromEntries(files.map(file => [file.path, file.digest])),
          },
        }
      : {}),
    ...(running ? { pid: 100 } : {}),
  }
}

function filesAsDeclared(target: ResolvedFacility): Map<string, ObservedFile> {
  const files = new Map<string, ObservedFile>()
  for (const { path, content, mode } of target.definition?.files ?? []) {
    files.set(path, { kind: 'file', content: bytesOf(content), mode, uid: 0, gid: 0 })
  }
  for (const { path, content, mode, uid, gid } of target.files)
    files.set(path, { kind: 'file', content, digest: sha256(content), mode, uid, gid })
  return files
}
