import type { Diagnostic } from '../core/step.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { loadManifests } from '../manifest/manifest-source.ts'
import { bindAll } from './instances.ts'
import type { Session } from './session.ts'
import { emptyRecord } from './state-files.ts'
import { makeTarget } from './targets.ts'

/**
 * All that can be said of the manifests without asking a supervisor and without root: their own diagnostics, and what
 * providers can't honour.
 */
export function validate(session: Session): ManifestSet {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, emptyRecord)
  const found: Diagnostic[] = []
  for (const facility of set.facilities) {
    const bound = instances.get(facility.supervisor)
    if (!bound) continue // an unknown supervisor has its own diagnostic
    // Whether users exist is this host's affair, and manifests may be checked on another.
    const { problems } = makeTarget(
      { ...facility, files: [] },
      {
        instance: bound.instance,
        provider: bound.provider,
        host: session.readHost,
        owner: session.configuration.owner,
        isElsewhere: true,
      },
    )
    for (const message of problems) {
      found.push({ ...facility.position, severity: 'error', code: 'not-honoured', message })
    }
  }
  if (found.length === 0) return set
  return { ...set, diagnostics: [...set.diagnostics, ...found], complete: false }
}
