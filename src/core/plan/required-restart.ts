import type { Facility, OnChange } from '../model/facility.ts'
import type { ResolvedFacility, ResolvedFile } from '../model/resolved-facility.ts'
import { wasThere } from '../state/file-age.ts'
import type { Observed } from '../state/observed.ts'
import { lookUpByPlace, placeOf } from '../state/place.ts'
import type { Snapshot } from '../state/snapshot.ts'
import type { PlanContext } from './plan-input.ts'

/**
 * Restart or reload needed to bring the process up to date: the strongest that any difference requires. It follows from what the
 * process has loaded, so that it survives a crash between a write and the restart (E4). `isChanging`: this plan writes something
 * that the process reads.
 */
export function findRequiredRestart(
  target: ResolvedFacility,
  observed: Observed,
  isChanging: boolean,
  { declaredFiles, snapshot }: PlanContext,
): 'restart' | 'reload' | undefined {
  const { facility, definition } = target
  if (!definition) {
    // Reeve's additions to the service are being removed.
    const isReleased = isChanging && observed.ownership?.isAddition === true && hasProcess(observed)
    if (!isReleased || facility.onChange === 'none') return undefined
    return facility.onChange === 'reload' && canReload(facility, observed) ? 'reload' : 'restart'
  }
  const { loaded } = observed
  // Without a process, nothing is out of date, as the next start reads what is there then. A completed job has no next start; if
  // its supervisor forgets what it had loaded, a change runs it again only in the plan that writes it.
  if (!loaded && !hasProcess(observed) && !isChanging) return undefined
  const due: OnChange[] = []
  if (!hasLoaded(target, observed)) due.push(facility.onChange)
  for (const file of findUnread(target, observed, snapshot)) due.push(file.onChange)
  for (const [path, digest] of Object.entries(loaded?.files ?? {})) {
    // Dropped from the manifest, unless another facility declares the file.
    if (digest !== 'absent' && !declaredFiles.has(placeOf(path, snapshot))) due.push(facility.onChange)
  }
  if (due.includes('restart')) return 'restart'
  if (!due.includes('reload')) return undefined
  if (!hasProcess(observed)) return 'restart' // no process to reload
  return canReload(facility, observed) ? 'reload' : 'restart'
}

/** The process has loaded the declared definition, and the declared content of each file. */
export function isUpToDate(target: ResolvedFacility, observed: Observed, snapshot: Snapshot): boolean {
  return hasLoaded(target, observed) && findUnread(target, observed, snapshot).length === 0
}

function hasLoaded({ definition, formerDigest }: ResolvedFacility, { loaded }: Observed): boolean {
  return loaded !== undefined && (loaded.definition === definition?.digest || loaded.definition === formerDigest)
}

/** Files whose declared content the process has not loaded, as far as is known. */
function findUnread({ files }: ResolvedFacility, observed: Observed, snapshot: Snapshot): readonly ResolvedFile[] {
  const digestOf = lookUpByPlace(new Map(Object.entries(observed.loaded?.files ?? {})), snapshot)
  return files.filter(({ path, digest }) => (digestOf(path) ?? findUntold(path, observed, snapshot)) !== digest)
}

/** If it is unknown what the process has loaded: the digest of the present file, if that is older than the process. */
function findUntold(path: string, { startedAt }: Observed, { files }: Snapshot): string | undefined {
  const { changed, digest } = files.get(path) ?? {}
  return changed !== undefined && startedAt !== undefined && wasThere(changed, startedAt) ? digest : undefined
}

/** Whether the service can be reloaded, by its manifest, else by its supervisor. `facility`: undefined if it isn't declared. */
export function canReload(facility: Facility | undefined, observed: Observed): boolean {
  return facility?.process ? facility.process.reload !== undefined : observed.canReload !== false
}

/**
 * Whether there is a process to bring up to date. A service that is starting may wait in its supervisor's backoff without one; a
 * stopping one no longer counts.
 */
function hasProcess({ state, pid }: Observed): boolean {
  return state === 'running' || (state === 'starting' && pid !== undefined)
}
