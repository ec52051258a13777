import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import { assumeApplied } from '../../core/plan/applied-state.ts'
import { compareDiagnostics, makePlan } from '../../core/plan/planning.ts'
import { count } from '../../core/text/count-text.ts'
import { sha256 } from '../../host/sha256.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { Session } from '../session/session.ts'
import { emptyRecord, type InstanceRecord } from '../session/state-files.ts'
import { type BoundInstance, bindAll, isSame, recordOf } from '../session/supervisor-instances.ts'
import { resolveFacility } from './facility-resolution.ts'
import type { PlanRun } from './plan-run.ts'
import { relateServices } from './relations.ts'

/** Manifests of two revisions. */
export interface Compared {
  readonly base: ManifestSet
  /** Of the revision that the other is compared with. */
  readonly next: ManifestSet
  /** The name of the base, for messages. */
  readonly baseName: string
}

/**
 * Plan from a host on which the base was applied, and nothing else has happened, to the next revision. No host is looked at: the session
 * is one of a host elsewhere.
 */
export async function compareRevisions(
  session: Session,
  { base, next, baseName }: Compared,
): Promise<Pick<PlanRun, 'plan' | 'refresh'>> {
  const { owner, policy } = session.configuration
  const before = bindAll(session, base, emptyRecord)
  const instances = bindAll(session, next, { ...emptyRecord, instances: recordUsed(base, before) })
  const targets = next.facilities.map(facility => resolveElsewhere(facility, instances, session))
  const old = base.facilities.map(facility => relocate(resolveElsewhere(facility, before, session), before, instances))
  const { snapshot, applied, claims } = assumeApplied(old, { next: targets, owner, hash: sha256 })
  const unavailable = new Map<string, string>()
  const { ties } = await relateServices({
    ...{ instances, targets, services: snapshot.services, unavailable },
    isElsewhere: true,
    limited: asked => asked,
    failed: (supervisor, reason) => unavailable.set(supervisor, reason),
  })
  const refresh = { snapshot: { ...snapshot, unavailable, ties }, targets, availability: new Map() }
  const diagnostics = [...next.diagnostics, ...warnOfBase(base, baseName)].sort(compareDiagnostics)
  const input = { targets, applied, claims, owner, policy, diagnostics, prune: next.complete }
  return { plan: makePlan({ ...input, snapshot: refresh.snapshot }, sha256), refresh }
}

/** Supervisor instances under which the base has something. */
function recordUsed(
  { facilities }: ManifestSet,
  instances: ReadonlyMap<string, BoundInstance>,
): Map<string, InstanceRecord> {
  const used = new Set(facilities.map(({ supervisor }) => supervisor))
  return new Map([...instances].flatMap(([name, { instance }]) => (used.has(name) ? [[name, recordOf(instance)]] : [])))
}

function resolveElsewhere(
  facility: Facility,
  instances: ReadonlyMap<string, BoundInstance>,
  { configuration, readHost }: Session,
): ResolvedFacility {
  const bound = instances.get(facility.supervisor)
  const resolved = resolveFacility(facility, { bound, host: readHost, owner: configuration.owner, isElsewhere: true })
  return { ...resolved, files: resolved.files.map(file => withOwnerNames(file, facility)) }
}

function withOwnerNames(file: ResolvedFile, { files }: Facility): ResolvedFile {
  const { owner = 'root', group = owner } = files.find(({ path }) => path === file.path) ?? {}
  return { ...file, ownerNames: `${owner}:${group}` }
}

/** A supervisor whose options have changed is another one, under the name that such a one gets on a host. */
function relocate(
  target: ResolvedFacility,
  before: ReadonlyMap<string, BoundInstance>,
  instances: ReadonlyMap<string, BoundInstance>,
): ResolvedFacility {
  const { facility } = target
  const bound = before.get(facility.supervisor)
  if (!bound) return target
  const record = recordOf(bound.instance)
  const [name] = [...instances].find(([, one]) => isSame(one, facility.supervisor, record)) ?? []
  return name === undefined ? target : { ...target, facility: { ...facility, supervisor: name } }
}

function warnOfBase({ diagnostics, complete }: ManifestSet, name: string): Diagnostic[] {
  if (complete) return []
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const message = `it is not valid itself (${count(errors.length, 'error')}): what its invalid manifests declare is missing from the comparison`
  return [{ file: `revision ${name}`, line: 0, column: 0, severity: 'warning', code: 'base-invalid', message }]
}
