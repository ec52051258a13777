import type { ReadHost } from '../../core/contracts/host.ts'
import type { Definition } from '../../core/model/definition.ts'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { findContradictions } from '../../core/plan/contradiction.ts'
import { tryTo } from '../../core/try-to.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import type { Session } from '../session/session.ts'
import { emptyRecord } from '../session/state-files.ts'
import { type BoundInstance, bindAll } from '../session/supervisor-instances.ts'
import { checkDefinitions } from './definition-check.ts'
import { resolveFacility } from './facility-resolution.ts'
import { withinSurvey } from './refresh-limit.ts'
import { relateServices } from './relations.ts'
import { startWarning } from './start-warning.ts'

export interface ValidationOptions {
  /** True: the manifests are for this host, and warnings say what a start would lack on it. */
  readonly onHost?: boolean
}

/**
 * Checks manifests without asking a supervisor and without root: adds to their own diagnostics what providers can't honour, and
 * which facilities would undo one another.
 */
export async function validate(session: Session, { onHost = false }: ValidationOptions = {}): Promise<ManifestSet> {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, emptyRecord)
  const targets = set.facilities.flatMap(facility => makeOwnTarget(facility, instances, session) ?? [])
  const errors = [...findUnhonoured(targets), ...(await findContradicting(set, targets, instances))]
  const warnings = onHost ? await findLacking(set, targets, instances, session) : []
  if (errors.length + warnings.length === 0) return set
  const diagnostics = [...set.diagnostics, ...errors, ...warnings]
  return { ...set, diagnostics, complete: set.complete && errors.length === 0 }
}

/** Undefined for a facility of an unknown supervisor, which has its own diagnostic. */
function makeOwnTarget(
  facility: Facility,
  instances: ReadonlyMap<string, BoundInstance>,
  { configuration, readHost }: Session,
): ResolvedFacility | undefined {
  const bound = instances.get(facility.supervisor)
  if (!bound) return undefined
  // Users aren't checked: the manifests may be meant for another host.
  const options = { bound, host: readHost, owner: configuration.owner, isElsewhere: true }
  return resolveFacility({ ...facility, files: [] }, options)
}

function findUnhonoured(targets: readonly ResolvedFacility[]): Diagnostic[] {
  return targets.flatMap(({ facility, problems }) =>
    problems.map(message => makeError(facility, 'not-honoured', message)),
  )
}

async function findContradicting(
  { facilities }: ManifestSet,
  targets: readonly ResolvedFacility[],
  instances: ReadonlyMap<string, BoundInstance>,
): Promise<Diagnostic[]> {
  const found: Diagnostic[] = []
  const { ties } = await relateServices({
    instances,
    targets,
    services: new Map(),
    unavailable: new Map(),
    isElsewhere: true,
    limited: asked => asked,
    failed(supervisor, reason) {
      const first = facilities.find(facility => facility.supervisor === supervisor)
      const message = `supervisor ${supervisor} can't tell what its services have to do with one another: ${reason}`
      if (first) found.push(makeError(first, 'not-honoured', message))
    },
  })
  const contradictions = findContradictions(facilities, ties)
  for (const facility of facilities) {
    const message = contradictions.get(facility.name)
    if (message !== undefined) found.push(makeError(facility, 'contradiction', `facility ${facility.name}: ${message}`))
  }
  return found
}

/** Warns of what starts would lack on this host, for facilities without errors. */
async function findLacking(
  { facilities }: ManifestSet,
  targets: readonly ResolvedFacility[],
  instances: ReadonlyMap<string, BoundInstance>,
  { clock, configuration, readHost }: Session,
): Promise<Diagnostic[]> {
  const declared = new Map(facilities.map(facility => [facility.name, facility]))
  const faulty = new Set(targets.flatMap(({ facility, problems }) => (problems.length > 0 ? facility.name : [])))
  const here = facilities.flatMap(facility => {
    const bound = instances.get(facility.supervisor)
    if (faulty.has(facility.name) || facility.suspend || !bound) return []
    return resolveFacility(facility, { bound, host: readHost, owner: configuration.owner, declared })
  })
  const checked = await checkDefinitions(here, {
    instances,
    isChanged: ({ definition }) => definition !== undefined && !isInPlace(definition, readHost),
    limited: asked => withinSurvey(asked, clock),
  })
  return checked.flatMap(({ facility, problems, startProblems = [] }) => {
    const lacks = [...problems, ...startProblems]
    return lacks.length > 0 ? [startWarning(facility, lacks)] : []
  })
}

function isInPlace({ files }: Definition, host: ReadHost): boolean {
  // Planning reports what can't be read.
  return tryTo(() => files.every(({ path, content }) => host.readText(path) === content)) ?? false
}

function makeError({ position }: Facility, code: string, message: string): Diagnostic {
  return { ...position, severity: 'error', code, message }
}
