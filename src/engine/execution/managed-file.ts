import type { FileFacts, ReadHost, WriteHost } from '../../core/contracts/host.ts'
import type { ResolvedFile } from '../../core/model/resolved-facility.ts'
import { findOverwriteProblem } from '../../core/plan/claim-keeping.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type FoundFile, isAsFound } from '../../core/state/adopted-file.ts'
import { decideRemoval, type FileClaim, findKeepReason } from '../../core/state/file-claim.ts'
import type { ObservedFile } from '../../core/state/observed.ts'
import { findRemover } from '../../host/file-actor.ts'
import { sha256 } from '../../host/sha256.ts'
import { findTargetProblem } from '../../host/target-path.ts'

/**
 * Steps on configuration files. Files are read again first, as they may have changed since the plan. Root writes only where
 * nobody can redirect it, else a user does (S8). Files that Reeve didn't write are neither overwritten nor removed (E19).
 */
export async function writeManagedFile(
  file: ResolvedFile,
  { host, claim, adopt }: { readonly host: WriteHost; readonly claim: FileClaim | undefined; readonly adopt: boolean },
): Promise<void> {
  const { path, content, mode, uid, gid, actAs } = file
  const problem =
    findTargetProblem(path, host, { actAs }) ?? findOverwriteProblem(file, claim, observe(path, host).found, adopt)
  if (problem !== undefined) throw new ReeveError('refused', problem)
  if (actAs) await host.writeFileAs(actAs, path, content, { mode, gid })
  else host.writeFile(path, content, { mode, uid, gid })
}

export async function removeManagedFile(path: string, claim: FileClaim | undefined, host: WriteHost): Promise<void> {
  const { found, facts } = observe(path, host)
  if (!facts) return
  const why = findKeepReason(claim, found)
  if (why !== undefined) throw new ReeveError('refused', `${path} is not removed: ${why}`)
  const remover = findRemover(path, facts, host)
  if (remover === undefined || remover === 'nobody') host.removeFile(path)
  else await host.removeFileAs(remover, path)
}

/** Restores a file as it was before its adoption; as its owner if others than root can change its directory. */
export async function restoreManagedFile(
  path: string,
  claim: FileClaim | undefined,
  { host, readCopy }: { readonly host: WriteHost; readonly readCopy: (found: FoundFile) => Uint8Array },
): Promise<void> {
  const { found, facts } = observe(path, host)
  const before = claim?.found
  if (!facts || typeof before !== 'object' || isAsFound(before, found)) return
  const removal = decideRemoval(claim, found)
  if (removal.kind === 'keep') throw new ReeveError('refused', `${path} is not put back: ${removal.why}`)
  const { mode, uid, gid } = before
  const content = readCopy(before)
  const remover = findRemover(path, facts, host)
  if (remover === undefined || remover === 'nobody') host.writeFile(path, content, { mode, uid, gid })
  else await host.writeFileAs(remover, path, content, { mode, ...(host.findGroupsOf(remover).has(gid) && { gid }) })
}

/**
 * Whether the file has the declared content. True also if it is no regular file or cannot be read: the next refresh reports
 * such a problem.
 */
export function holdsContent({ path, digest }: ResolvedFile, host: ReadHost): boolean {
  try {
    const { found } = observe(path, host)
    return found.kind === 'file' ? found.digest === digest : found.kind === 'other'
  } catch {
    return true
  }
}

function observe(path: string, host: ReadHost): { readonly found: ObservedFile; readonly facts?: FileFacts } {
  const inspected = host.inspectFile(path)
  if (!inspected) return { found: { kind: 'absent' } }
  const { facts, content } = inspected
  const { mode, uid, gid } = facts
  return content
    ? { found: { kind: 'file', digest: sha256(content), mode, uid, gid }, facts }
    : { found: { kind: 'other', problem: `it is a ${facts.kind}, not a file` }, facts }
}
