import type { Facility, OnChange } from '../model/facility.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { wasThere } from '../state/file-age.ts'
import type { Observed } from '../state/observed.ts'
import { lookUpByPlace, placeOf } from '../state/place.ts'
import type { Snapshot } from '../state/snapshot.ts'
import type { PlanContext } from './plan-input.ts'

/**
 * What the process owes to what is declared: the strongest of what each difference asks for. Read from what it has
 * loaded, so that it survives a crash between a write and the restart (E4). `isChanging`: something that it reads is
 * being written in this plan.
 */
export function findRequiredRestart(
  target: ResolvedFacility,
  observed: Observed,
  isChanging: boolean,
  { declaredFiles, snapshot }: PlanContext,
): 'restart' | 'reload' | undefined {
  const { facility, definition } = target
  if (!definition) {
    // What was added to it is being taken away.
    const isReleased = isChanging && observed.ownership?.isAddition === true && hasProcess(observed)
    if (!isReleased || facility.onChange === 'none') return undefined
    return facility.onChange === 'reload' && canReload(facility, observed) ? 'reload' : 'restart'
  }
  const { loaded } = observed
  // Where no process is, none is out of date: its next start reads what is there then. A job that ended for good has no
  // next start; under a supervisor that forgets what it had read, a change runs it again only in the plan that writes it.
  if (!loaded && !hasProcess(observed) && !isChanging) return undefined
  const due: OnChange[] = []
  const isLoaded = loaded?.definition === definition.digest || (loaded && loaded.definition === target.formerDigest)
  if (!isLoaded) due.push(facility.onChange)
  const read = new Map(Object.entries(loaded?.files ?? {}))
  const digestOf = lookUpByPlace(read, snapshot)
  for (const file of target.files) {
    const digest = digestOf(file.path) ?? findUntold(file.path, observed, snapshot)
    if (digest !== file.digest) due.push(file.onChange)
  }
  for (const [path, digest] of read) {
    // Dropped from the manifest; what another facility declares is still there.
    if (digest !== 'absent' && !declaredFiles.has(placeOf(path, snapshot))) due.push(facility.onChange)
  }
  if (due.includes('restart')) return 'restart'
  if (!due.includes('reload')) return undefined
  if (!hasProcess(observed)) return 'restart' // there is nobody to tell
  return canReload(facility, observed) ? 'reload' : 'restart'
}

/** Where nobody tells what the process has read: the digest of what is there, if it was there before the process. */
function findUntold(path: string, { startedAt }: Observed, { files }: Snapshot): string | undefined {
  const { changed, digest } = files.get(path) ?? {}
  return changed !== undefined && startedAt !== undefined && wasThere(changed, startedAt) ? digest : undefined
}

/** Of what the manifest doesn't say itself, its supervisor knows. `facility`: undefined for what isn't declared. */
export function canReload(facility: Facility | undefined, observed: Observed): boolean {
  return facility?.process ? facility.process.reload !== undefined : observed.canReload !== false
}

/**
 * A service that is being started may be one that its supervisor waits to start again, after a failure. The process of
 * one that is stopping owes nothing any more.
 */
function hasProcess({ state, pid }: Observed): boolean {
  return state === 'running' || (state === 'starting' && pid !== undefined)
}
