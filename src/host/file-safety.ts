import { dirname, isAbsolute } from 'node:path'
import type { ReadHost } from '../core/contracts/host.ts'
import type { UnsafePart } from '../core/paths/path-safety.ts'
import { linkLimit } from './target-path.ts'

/**
 * The first part on the way to a file that others than root and this user can change, symlinks in its own place followed (S8).
 * Undefined: whoever opens the path by its name gets what root and this user have put there.
 */
export function findUnsafeFilePart(path: string, host: ReadHost): UnsafePart | undefined {
  let wanted = path
  for (let links = 0; links <= linkLimit; links += 1) {
    const unsafe = host.findUnsafePart(dirname(wanted), { isExclusive: true })
    if (unsafe) return unsafe
    const target = host.facts(wanted)?.kind === 'symlink' ? host.readLink(wanted) : undefined
    if (target === undefined) return undefined
    // Not by words: the kernel takes `..` after it has followed what comes before.
    wanted = isAbsolute(target) ? target : `${dirname(wanted)}/${target}`
  }
  return undefined // it leads nowhere, and can't be opened
}
