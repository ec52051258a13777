import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findInsecurePath, lookupIn } from '../../core/paths/path-permissions.ts'
import { localFiles } from '../../manifest/manifest-files.ts'

/** Whose modules are checked, and whose are not. */
export interface ModuleCheckOptions {
  /** Where this program is installed: its own modules have been believed already. */
  readonly root: string
  /** Who runs them. */
  readonly userId: number
}

/** Why the module at that place can't be loaded: others can write it (S1). Undefined: it can be, or is no file. */
export function findModuleProblem(location: string, { root, userId }: ModuleCheckOptions): string | undefined {
  const path = location.startsWith('file:') ? fileURLToPath(location) : location
  if (!path.startsWith('/') || path === root || path.startsWith(`${root}/`)) return undefined
  const insecure = findInsecurePath(path, lookupIn(localFiles), userId)?.message ?? findInsecureKind(path, userId)
  return insecure && `an outside provider of the host configuration loads ${path}, which is not safe: ${insecure}`
}

/** What says how the module is read, and where its imports lead, is as good as its code. */
function findInsecureKind(path: string, userId: number): string | undefined {
  const lookup = lookupIn(localFiles)
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const insecure = findInsecurePath(`${directory === '/' ? '' : directory}/package.json`, lookup, userId)
    if (insecure !== undefined) return insecure.message
    if (directory === '/') return undefined
  }
}
