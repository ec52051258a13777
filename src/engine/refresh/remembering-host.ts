import type { ReadHost } from '../../core/contracts/host.ts'
import type { UnsafePart } from '../../core/paths/path-safety.ts'

/** Host for one refresh, which checks the way to each directory once. Answers may be as old as the refresh: steps check again. */
export function rememberPaths(host: ReadHost): ReadHost {
  const known = new Map<string, UnsafePart | undefined>()
  return {
    ...host,
    findUnsafePart(directory, options = {}) {
      const key = `${options.isExclusive === true} ${directory}`
      if (!known.has(key)) known.set(key, host.findUnsafePart(directory, options))
      return known.get(key)
    },
  }
}
