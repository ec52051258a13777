import { findContradictions } from '../core/contradiction.ts'
import type { Facility } from '../core/facility.ts'
import type { Diagnostic } from '../core/step.ts'
import type { Target } from '../core/target.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { loadManifests } from '../manifest/manifest-source.ts'
import { type BoundInstance, bindAll } from './instances.ts'
import { relateServices } from './relations.ts'
import type { Session } from './session.ts'
import { emptyRecord } from './state-files.ts'
import { makeTarget } from './targets.ts'

/**
 * All that can be said of the manifests without asking a supervisor and without root: their own diagnostics, what
 * providers can't honour, and which facilities would undo one another.
 */
export async function validate(session: Session): Promise<ManifestSet> {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, emptyRecord)
  const targets = set.facilities.flatMap(facility => makeOwnTarget(facility, instances, session) ?? [])
  const found: Diagnostic[] = []
  const report = ({ position }: Facility, code: string, message: string): number =>
    found.push({ ...position, severity: 'error', code, message })
  for (const { facility, problems } of targets) {
    for (const message of problems) report(facility, 'not-honoured', message)
  }
  const ties = await relateServices({
    instances,
    targets,
    services: new Map(),
    unavailable: new Map(),
    isElsewhere: true,
    limited: asked => asked,
    failed(supervisor, reason) {
      const first = set.facilities.find(facility => facility.supervisor === supervisor)
      if (first)
        report(
          first,
          'not-honoured',
          `supervisor ${supervisor} can't tell what its services have to do with one another: ${reason}`,
        )
    },
  })
  const contradictions = findContradictions(set.facilities, ties)
  for (const facility of set.facilities) {
    const message = contradictions.get(facility.name)
    if (message !== undefined) report(facility, 'contradiction', `facility ${facility.name}: ${message}`)
  }
  if (found.length === 0) return set
  return { ...set, diagnostics: [...set.diagnostics, ...found], complete: false }
}

/** Undefined for one of an unknown supervisor, which has its own diagnostic. */
function makeOwnTarget(
  facility: Facility,
  instances: ReadonlyMap<string, BoundInstance>,
  { configuration, readHost }: Session,
): Target | undefined {
  const { instance, provider } = instances.get(facility.supervisor) ?? {}
  if (!instance || !provider) return undefined
  // Whether users exist is this host's affair, and manifests may be checked on another.
  const options = { instance, provider, host: readHost, owner: configuration.owner, isElsewhere: true }
  return makeTarget({ ...facility, files: [] }, options)
}
