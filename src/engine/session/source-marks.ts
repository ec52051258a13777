import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import { openDeadline } from '../../host/deadline.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { Session } from './session.ts'
import { readRecord } from './state-files.ts'
import { bindAll } from './supervisor-instances.ts'

/** How long (ms) a supervisor may take to list what is owned. */
const limit = 10_000

const noManifests: ManifestSet = { facilities: [], supervisors: [], diagnostics: [], complete: false, revision: '' }

/** Marks on everything that Reeve owns under the supervisors that are known without manifests. Throws where one can't list it. */
export async function findMarks(session: Session, signal: AbortSignal): Promise<readonly string[]> {
  const { clock, configuration, readHost } = session
  const { owner, stateDirectory } = configuration
  const instances = bindAll(session, noManifests, readRecord(stateDirectory, readHost))
  using deadline = openDeadline(clock, limit, [signal])
  const lists = await Promise.all(
    [...instances].map(([name, { observer }]) =>
      abortable(observer.list(), deadline.signal).catch((error: unknown) => {
        const message = `cannot tell which revision this host had accepted, as supervisor ${name} does not list what Reeve owns: ${messageOf(error)}`
        throw new ReeveError('unavailable', message, { cause: error })
      }),
    ),
  )
  return lists.flat().flatMap(({ ownership }) => (ownership.owner === owner ? (ownership.revision ?? []) : []))
}
