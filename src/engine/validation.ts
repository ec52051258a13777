import type { Diagnostic } from '../core/step.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { loadManifests } from '../manifest/manifest-source.ts'
import { bindAll } from './instances.ts'
import type { Session } from './session.ts'
import { startWarning } from './start-warning.ts'
import { emptyRecord } from './state-files.ts'
import { makeTarget } from './targets.ts'

export interface ValidationOptions {
  /** True: the manifests are for this host, and what a start would lack on it is told as well. */
  readonly onHost?: boolean
}

/**
 * All that can be said of the manifests without asking a supervisor and without root: their own diagnostics, and what
 * providers can't honour.
 */
export function validate(session: Session, { onHost = false }: ValidationOptions = {}): ManifestSet {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, emptyRecord)
  const declared = new Map(set.facilities.map(facility => [facility.name, facility]))
  const errors: Diagnostic[] = []
  const warnings: Diagnostic[] = []
  for (const facility of set.facilities) {
    const bound = instances.get(facility.supervisor)
    if (!bound) continue // an unknown supervisor has its own diagnostic
    const { instance, provider } = bound
    const options = { instance, provider, host: session.readHost, owner: session.configuration.owner }
    // Whether users exist is the host's affair, and manifests may be checked on another.
    const { problems } = makeTarget({ ...facility, files: [] }, { ...options, isElsewhere: true })
    for (const message of problems) {
      errors.push({ ...facility.position, severity: 'error', code: 'not-honoured', message })
    }
    if (!onHost || problems.length > 0 || facility.suspend) continue
    const here = makeTarget(facility, { ...options, declared })
    const lacks = [...here.problems, ...(here.startProblems ?? [])]
    if (lacks.length > 0) warnings.push(startWarning(facility, lacks))
  }
  if (errors.length + warnings.length === 0) return set
  const diagnostics = [...set.diagnostics, ...errors, ...warnings]
  return { ...set, diagnostics, complete: set.complete && errors.length === 0 }
}
