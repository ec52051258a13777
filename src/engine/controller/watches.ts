import type { Log } from '../../core/contracts/log.ts'
import type { Session } from '../session/session.ts'
import { createFileWatch } from './file-watch.ts'
import { watchManifests } from './manifest-watch.ts'
import type { ReconcileQueue } from './reconcile-queue.ts'
import type { Reconciliation } from './reconciliation.ts'
import { createSupervisorWatch } from './supervisor-watch.ts'

/** All that hints that a pass is due: manifests, supervisors, managed files, and the files that a start needs. */
export interface Watches {
  /** Watches what is declared now. */
  follow(): void
  /** True: whatever changes is hinted. */
  isComplete(): boolean
  close(): Promise<void>
}

export async function openWatches(
  { clock, directory, readHost: host }: Session,
  reconciliation: Reconciliation,
  queue: ReconcileQueue,
  log: Log,
): Promise<Watches> {
  const manifests = await watchManifests(directory, { host, clock, log }, queue.manifests)
  const supervisors = createSupervisorWatch((supervisor, service) => {
    const facility = service === undefined ? undefined : reconciliation.facilityAt(supervisor, service)
    if (facility === undefined) queue.full()
    else queue.facility(facility)
  }, log)
  const files = createFileWatch(host, log, queue.facility)
  const startPaths = createFileWatch(host, log, queue.facility)

  return {
    follow() {
      manifests.follow()
      supervisors.follow(reconciliation.instances())
      files.follow(reconciliation.facilities())
      startPaths.follow(reconciliation.hindered())
    },
    isComplete() {
      if (!manifests.isComplete() || !files.isComplete()) return false
      return [...reconciliation.facilities()].every(({ supervisor }) => supervisors.isWatched(supervisor))
    },
    async close() {
      for (const watch of [supervisors, files, startPaths]) watch[Symbol.dispose]()
      await manifests.close()
    },
  }
}
