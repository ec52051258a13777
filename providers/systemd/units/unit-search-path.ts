import { basename, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { few } from '../bus/manager.ts'
import { readMarker } from './marker.ts'
import { readSections, type Sections } from './unit-file.ts'
import { dropInOwnersOf, expandSpecifiers, isTemplate, templateOf } from './unit-name.ts'

/** Units as they are on the disk: what systemd would load. Directories are read once for each observation. */
export interface UnitSearchPath {
  /** The file in force, or why there can be none. */
  find(unit: string): UnitFile
  /** Texts of its drop-ins, in their order. */
  dropIns(unit: string): readonly string[]
  /** Its complete definition: the unit's own text, then those of its drop-ins. */
  texts(unit: string): readonly string[]
  /** Links in a directory of that name, `web.service.wants`, wherever it is. */
  folder(name: string): readonly string[]
  /** Existing links that its `[Install]` asks for: absolute paths. */
  links(unit: string): readonly string[]
  /** An alias that its `[Install]` asks for, and that leads to another unit: the path, and its target. */
  takenAlias(unit: string): { readonly path: string; readonly target: string } | undefined
  /** Whether it starts at boot, by the links that its `[Install]` asks for. */
  enablement(unit: string): Enablement
}

export type UnitFile = { readonly kind: 'absent' } | { readonly kind: 'masked' } | FoundUnit

export interface FoundUnit {
  readonly kind: 'found'
  readonly path: string
  /** Another name, if a link leads there. */
  readonly unit: string
  readonly text: string
  /** By the marker in it. */
  readonly ownership: Ownership | undefined
}

export interface Enablement {
  /** `partly`: some links are missing. systemd calls that enabled. */
  readonly enabled: boolean | 'partly' | 'fixed'
  /** Reason why it is fixed, in systemd's terms and ours. */
  readonly message?: string
}

/** Dependencies for reading units. */
export type UnitSearchHost = Pick<ReadHost, 'readDirectory' | 'readText' | 'realPath'> & {
  facts(path: string): unknown
}

const linkKinds = { WantedBy: 'wants', RequiredBy: 'requires', UpheldBy: 'upholds' } as const

/**
 * `directories`: the manager's search path, highest priority first. For a few services each name is looked up by itself; for
 * many, all names are read once.
 */
export function readUnitSearchPath(
  host: UnitSearchHost,
  directories: readonly string[],
  services: number,
): UnitSearchPath {
  const listings = new Map<string, ReadonlySet<string>>()
  const files = new Map<string, UnitFile>()

  function list(directory: string): ReadonlySet<string> {
    const known = listings.get(directory)
    if (known) return known
    const names = new Set(host.readDirectory(directory))
    listings.set(directory, names)
    return names
  }

  function has(directory: string, name: string): boolean {
    return services > few ? list(directory).has(name) : host.facts(join(directory, name)) !== undefined
  }

  function findPath(unit: string): string | undefined {
    for (const name of [unit, templateOf(unit)]) {
      if (name === undefined) continue
      const directory = directories.find(candidate => has(candidate, name))
      if (directory !== undefined) return join(directory, name)
    }
    return undefined
  }

  function find(unit: string): UnitFile {
    const known = files.get(unit)
    if (known) return known
    const found = look(unit)
    files.set(unit, found)
    return found
  }

  function look(unit: string): UnitFile {
    const path = findPath(unit)
    if (path === undefined) return { kind: 'absent' }
    const real = host.realPath(path)
    if (real === undefined) return { kind: 'absent' } // a dangling link
    if (real === '/dev/null') return { kind: 'masked' }
    // By the name, so that root follows no link that others may have put there (S8).
    const text = host.readText(path)
    if (text === undefined) return { kind: 'absent' }
    if (text === '') return { kind: 'masked' }
    // An alias is a link to a unit of another name; one that is linked into the search path keeps its own.
    const target = basename(real)
    const isAlias = target !== basename(path) && findPath(target) !== undefined && templateOf(unit) !== target
    return { kind: 'found', path, unit: isAlias ? target : unit, text, ownership: readMarker(text) }
  }

  function enablement(unit: string): Enablement {
    const file = find(unit)
    if (file.kind === 'masked') return { enabled: 'fixed', message: 'it is masked: systemctl unmask it' }
    if (file.kind === 'absent') return { enabled: false }
    if (/\/(?:generator(?:\.early|\.late)?|transient)\//.test(file.path)) {
      return { enabled: 'fixed', message: `systemd made it by itself (${file.path})` }
    }
    const install = readInstall(file.text)
    const expected = expectedLinks(install, file.unit)
    if (expected.length === 0) return { enabled: 'fixed', message: describeFixed(install, file.unit) }
    const there = expected.filter(link => directories.some(directory => isLink(directory, link, file))).length
    return { enabled: there === expected.length || (there > 0 && 'partly') }
  }

  function links(unit: string): readonly string[] {
    const file = find(unit)
    if (file.kind !== 'found') return []
    const expected = expectedLinks(readInstall(file.text), file.unit)
    return directories.flatMap(directory =>
      expected.filter(link => isLink(directory, link, file)).map(({ folder, name }) => join(directory, folder, name)),
    )
  }

  function takenAlias(unit: string): ReturnType<UnitSearchPath['takenAlias']> {
    const file = find(unit)
    if (file.kind !== 'found') return undefined
    for (const { folder, name } of expectedLinks(readInstall(file.text), file.unit)) {
      const path = folder === '' ? findPath(name) : undefined
      const target = path === undefined ? undefined : host.realPath(path)
      if (path !== undefined && target !== undefined && !isSame(target, file)) return { path, target }
    }
    return undefined
  }

  /** Those below /run are gone at the next boot, and those in /usr are the package's. */
  function isLink(directory: string, { folder, name }: Link, file: FoundUnit): boolean {
    if (directory.startsWith('/run/') || directory.startsWith('/usr/') || directory.startsWith('/lib/')) return false
    if (!has(join(directory, folder), name)) return false
    // For units that a target wants, the name of the link counts; an alias may be that of another unit.
    const target = folder === '' ? host.realPath(join(directory, name)) : undefined
    return folder !== '' || (target !== undefined && isSame(target, file))
  }

  /** By its name, as one of another directory may have replaced it. */
  function isSame(target: string, { path }: FoundUnit): boolean {
    return basename(target) === basename(host.realPath(path) ?? path)
  }

  /** Drop-ins, except those for all units of a kind, which are the distribution's. Of one name, the first counts. */
  function dropIns(unit: string): readonly string[] {
    const paths = new Map<string, string>()
    for (const owner of dropInOwnersOf(unit)) {
      for (const directory of directories) {
        if (!has(directory, `${owner}.d`)) continue
        const folder = join(directory, `${owner}.d`)
        for (const name of host.readDirectory(folder) ?? []) {
          if (name.endsWith('.conf') && !paths.has(name)) paths.set(name, join(folder, name))
        }
      }
    }
    return [...paths].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
  }

  function texts(unit: string): readonly string[] {
    const file = find(unit)
    if (file.kind !== 'found') return []
    return [file.text, ...dropIns(file.unit).map(path => host.readText(path) ?? '')]
  }

  function folder(name: string): readonly string[] {
    return directories
      .filter(directory => has(directory, name))
      .flatMap(directory => host.readDirectory(join(directory, name)) ?? [])
  }

  return { find, dropIns, texts, folder, links, takenAlias, enablement }
}

/** Links that the `[Install]` of a unit with that text asks for, below a unit directory. */
export function linksOf(unit: string, text: string): string[] {
  return expectedLinks(readInstall(text), unit).map(({ folder, name }) => join(folder, name))
}

interface Link {
  readonly folder: string
  readonly name: string
}

/** The links of a template are for its default instance; without one, only other templates can want it. */
function expectedLinks(install: Sections[string], unit: string): Link[] {
  const links: Link[] = []
  const name = defaultInstanceOf(install, unit) ?? unit
  const named = (values: readonly string[] | undefined): string[] =>
    words(values).flatMap(word => expandSpecifiers(word, name) ?? [])
  for (const [key, kind] of Object.entries(linkKinds)) {
    const targets = named(install[key]).filter(target => !isTemplate(name) || isTemplate(target))
    for (const target of targets) links.push({ folder: `${target}.${kind}`, name })
  }
  for (const alias of named(install.Alias)) links.push({ folder: '', name: alias })
  return links
}

function defaultInstanceOf({ DefaultInstance }: Sections[string], unit: string): string | undefined {
  const instance = DefaultInstance?.at(-1)
  if (instance === undefined || !isTemplate(unit)) return undefined
  const expanded = expandSpecifiers(instance, unit)
  return expanded === undefined ? undefined : unit.replace('@.', () => `@${expanded}.`)
}

function describeFixed(install: Sections[string], unit: string): string {
  const asked = words([...Object.keys(linkKinds), 'Alias'].flatMap(key => install[key] ?? []))
  if (asked.length > 0 && isTemplate(unit)) {
    return 'it is a template without a default instance (DefaultInstance=): enable instances of it instead'
  }
  if (asked.length > 0) return `its [Install] section has specifiers that only systemd knows: ${asked.join(' ')}`
  return install.Also === undefined
    ? 'it is static: its unit has no [Install] section that says what would start it'
    : `it is indirect: its unit names ${install.Also.join(' ')} to be enabled`
}

/** It is far down in most units. */
function readInstall(text: string): Sections[string] {
  const start = text.search(/^[^\S\n]*\[Install\]\s*$/m)
  return start < 0 ? {} : (readSections(text.slice(start)).Install ?? {})
}

function words(values: readonly string[] = []): string[] {
  return values.flatMap(value => value.split(/\s+/)).filter(Boolean)
}
