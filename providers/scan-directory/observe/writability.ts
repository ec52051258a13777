import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Unwritable } from '../../../src/core/state/unwritable.ts'
import { findDiskProblem } from '../../../src/host/disk-problem.ts'
import type { Layout } from '../layout.ts'

/** Directories of an instance on a disk that is full or read-only, and since when that has been observed. */
export function createDiskLook({ services, definitions }: Layout, host: ReadHost): () => readonly Unwritable[] {
  const seen = new Map<string, Unwritable>()
  return () =>
    [definitions, services].flatMap(path => {
      const message = findDiskProblem(path)
      const since = message === undefined ? undefined : (seen.get(path)?.since ?? host.now())
      if (message === undefined || since === undefined) {
        seen.delete(path)
        return []
      }
      const place = { path, message, since }
      seen.set(path, place)
      return [place]
    })
}
