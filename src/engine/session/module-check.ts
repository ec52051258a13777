import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findInsecurePath, lookupIn } from '../../core/paths/path-permissions.ts'
import { localFiles } from '../../manifest/read/manifest-files.ts'

/** Which modules are checked. */
export interface ModuleCheckOptions {
  /** Directory of this program, whose own modules are trusted. */
  readonly root: string
  /** User that runs the modules. */
  readonly userId: number
}

/** Why the module must not be loaded: others can write it (S1). Undefined if it may be, or is no file. */
export function findModuleProblem(location: string, { root, userId }: ModuleCheckOptions): string | undefined {
  const path = location.startsWith('file:') ? fileURLToPath(location) : location
  if (!path.startsWith('/') || path === root || path.startsWith(`${root}/`)) return undefined
  const insecure = findInsecurePath(path, lookupIn(localFiles), userId)?.message ?? findInsecureKind(path, userId)
  return insecure && `an outside provider of the host configuration loads ${path}, which is not safe: ${insecure}`
}

/** package.json files decide how the module is read and where its imports lead, so they are checked as its code is. */
function findInsecureKind(path: string, userId: number): string | undefined {
  const lookup = lookupIn(localFiles)
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const insecure = findInsecurePath(`${directory === '/' ? '' : directory}/package.json`, lookup, userId)
    if (insecure !== undefined) return insecure.message
    if (directory === '/') return undefined
  }
}
