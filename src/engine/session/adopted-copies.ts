import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { FoundFile } from '../../core/state/adopted-file.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'
import { sha256 } from '../../host/sha256.ts'

/**
 * Copies of adopted files as they were found, in the state directory, which only Reeve's user can read: they may hold
 * secrets. A copy is named by its digest, by which damage is detected.
 */

/** Writes copies before the record that names them, which is written before the files are overwritten (E4). */
export function writeCopies(stateDirectory: string, claims: FileClaims, before: FileClaims, host: WriteHost): void {
  const there = new Set(foundIn(before).map(({ digest }) => digest))
  for (const { digest, content } of foundIn(claims)) {
    if (!content || there.has(digest)) continue
    there.add(digest)
    host.makeDirectory(directoryOf(stateDirectory), { mode: 0o700 })
    host.writeFile(join(directoryOf(stateDirectory), digest), content, { mode: 0o600 })
  }
}

/** Removes copies that no claim names any more. */
export function sweepCopies(stateDirectory: string, claims: FileClaims, before: FileClaims, host: WriteHost): void {
  const named = new Set(foundIn(claims).map(({ digest }) => digest))
  if (foundIn(before).every(({ digest }) => named.has(digest))) return
  const directory = directoryOf(stateDirectory)
  for (const name of host.readDirectory(directory) ?? []) {
    if (/^[0-9a-f]{64}$/.test(name) && !named.has(name)) host.removeFile(join(directory, name))
  }
}

/** Throws ReeveError if the copy is missing or damaged. */
export function readCopy(stateDirectory: string, { digest }: FoundFile, host: ReadHost): Uint8Array {
  const path = join(directoryOf(stateDirectory), digest)
  const content = host.readProtectedFile(path)
  if (content && sha256(content) === digest) return content
  throw new ReeveError(
    'failed',
    `what was there before Reeve cannot be put back: its copy ${path} is ${content ? 'damaged' : 'gone'}; put the file back yourself, or remove it`,
  )
}

function foundIn(claims: FileClaims): FoundFile[] {
  return [...claims.values()].flatMap(({ found }) => (typeof found === 'object' && found.isKept ? found : []))
}

function directoryOf(stateDirectory: string): string {
  return join(stateDirectory, 'adopted')
}
