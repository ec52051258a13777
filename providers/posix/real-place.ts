import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'

/** Where a path leads, as far as it exists: what isn't there yet will be made where the rest leads. `host` absent: as it is written. */
export function realPlace(path: string, host: Pick<ReadHost, 'realPath'> | undefined): string {
  if (!host) return path
  const real = host.realPath(path)
  const parent = dirname(path)
  if (real !== undefined || parent === path) return real ?? path
  return join(realPlace(parent, host), basename(path))
}
