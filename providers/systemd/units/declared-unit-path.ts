import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { DeclaredService } from '../../../src/core/contracts/provider.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { unitOf } from './unit-name.ts'
import { readUnitSearchPath, type UnitSearchHost, type UnitSearchPath } from './unit-search-path.ts'

/**
 * Units as they will be on the disk: declared files in place of existing ones, without those that Reeve wrote and that are
 * no longer declared. `host` absent: only declared files.
 */
export function readDeclaredUnits(
  services: readonly DeclaredService[],
  directories: readonly string[],
  host: ReadHost | undefined,
): UnitSearchPath {
  const texts = new Map<string, string>()
  for (const { service, definition } of services) {
    const [first] = definition?.files ?? []
    // Additions to a unit that is unknown here describe it all the same.
    if (!host && definition?.isAddition && first) {
      texts.set(join(dirname(dirname(first.path)), unitOf(service)), '[Unit]\n')
    }
    for (const { path, content } of definition?.files ?? []) texts.set(path, content)
  }
  const gone = new Set(services.flatMap(({ definitionFiles = [] }) => definitionFiles).filter(path => !texts.has(path)))
  const made = listEntries([...texts.keys()])

  const overlaid: UnitSearchHost = {
    readDirectory(path) {
      const there = host?.readDirectory(path)
      const more = made.get(path)
      if (!there && !more) return undefined
      const kept = (there ?? []).filter(name => !gone.has(`${path}/${name}`))
      return [...new Set([...kept, ...(more ?? [])])].sort()
    },
    readText(path) {
      if (gone.has(path)) return undefined
      return texts.get(path) ?? readQuietly(path, host)
    },
    realPath(path) {
      if (gone.has(path)) return undefined
      return texts.has(path) ? path : host?.realPath(path)
    },
    facts(path) {
      if (gone.has(path)) return undefined
      return texts.has(path) || made.has(path) ? true : host?.facts(path)
    },
  }
  return readUnitSearchPath(overlaid, directories, Number.POSITIVE_INFINITY)
}

/** An unreadable unit gives no relation. Observing the unit reports the reason. */
function readQuietly(path: string, host: ReadHost | undefined): string | undefined {
  return tryTo(() => host?.readText(path))
}

/** Entries of each directory on the way to these files, and of the unit directory. */
function listEntries(paths: readonly string[]): Map<string, Set<string>> {
  const entries = new Map<string, Set<string>>()
  const note = (path: string): void => {
    const names = entries.get(dirname(path)) ?? new Set<string>()
    names.add(basename(path))
    entries.set(dirname(path), names)
  }
  for (const path of paths) {
    note(path)
    if (dirname(path).endsWith('.d')) note(dirname(path))
  }
  return entries
}
