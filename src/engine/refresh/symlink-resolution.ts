import { join } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import { tryTo } from '../../core/try-to.ts'

export interface SymlinkResolution {
  /** Target of the path. Undefined if there is none. */
  readonly target: string | undefined
  /** Directory entries that decide where the path leads: its last component, and every symlink on the way. */
  readonly turns: readonly Turn[]
}

export interface Turn {
  readonly directory: string
  readonly name: string
}

/** Most symlinks that the kernel follows in one path. */
const MOST_LINKS = 40

/** Finds where a path leads, and where that can change: git-sync and ConfigMaps swap a link there. `path` is absolute. */
export function resolveSymlinks(path: string, host: Pick<ReadHost, 'facts' | 'readLink'>): SymlinkResolution {
  const turns: Turn[] = []
  const rest = parts(path)
  let here = '/'
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      here = join(here, '..')
      continue
    }
    const next = join(here, name)
    const kind = kindOf(next, host)
    const link = kind === 'symlink' ? host.readLink(next) : undefined
    if (link !== undefined || rest.length === 0 || kind === undefined) turns.push({ directory: here, name })
    if (kind === undefined) return { target: undefined, turns }
    if (link === undefined) {
      here = next
      continue
    }
    links += 1
    if (links > MOST_LINKS) return { target: undefined, turns }
    rest.unshift(...parts(link))
    if (link.startsWith('/')) here = '/'
  }
  return { target: here, turns }
}

function kindOf(path: string, host: Pick<ReadHost, 'facts'>): string | undefined {
  return tryTo(() => host.facts(path)?.kind) // unreadable: reading the manifests will say why
}

function parts(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.')
}
