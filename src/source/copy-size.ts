import { join } from 'node:path'
import type { ReadHost } from '../core/contracts/host.ts'

/** What a copy of a repository takes on the disk. */
export interface CopySize {
  readonly bytes: number
  readonly files: number
  readonly packs: number
}

/** Follows no symlink. What git renames or removes meanwhile may be missing. */
export function measureCopy(path: string, host: ReadHost): CopySize {
  const facts = host.facts(path)
  if (!facts) return { bytes: 0, files: 0, packs: 0 }
  if (facts.kind !== 'directory') return { bytes: facts.size, files: 1, packs: path.endsWith('.pack') ? 1 : 0 }
  const parts = (host.readDirectory(path) ?? []).map(name => measureCopy(join(path, name), host))
  return {
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    files: parts.reduce((sum, { files }) => sum + files, 0),
    packs: parts.reduce((sum, { packs }) => sum + packs, 0),
  }
}
