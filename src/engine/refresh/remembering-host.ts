import type { ReadHost } from '../../core/contracts/host.ts'
import type { UnsafePart } from '../../core/paths/path-safety.ts'

/**
 * The host for one look at it: the way to a directory is walked once, however many files are in it. An answer may be as old as
 * the look; whoever acts asks anew.
 */
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
