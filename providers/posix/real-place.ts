import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'

/** Resolves a path as far as it exists; missing components are appended. `host` absent: the path as written. */
export function realPlace(path: string, host: Pick<ReadHost, 'realPath'> | undefined): string {
  if (!host) return path
  const real = host.realPath(path)
  const parent = dirname(path)
  if (real !== undefined || parent === path) return real ?? path
  return join(realPlace(parent, host), basename(path))
}
