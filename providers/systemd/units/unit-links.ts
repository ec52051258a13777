import { readEntries } from './unit-file.ts'
import { expandSpecifiers, unitOf } from './unit-name.ts'
import type { UnitSearchPath } from './unit-search-path.ts'

/** Relation of one unit to another by a line of its text, or by a link in one of its directories. */
export interface UnitLink {
  readonly kind: LinkKind
  readonly from: string
  readonly to: string
  /** `Conflicts=db.service of web.service`. */
  readonly how: string
}

/**
 * Kind of a link between units:
 *
 *   starts       a start of `from` starts `to` (Requires=, Wants=, a timer and what it triggers)
 *   starts-late  the end of `from` starts `to` (OnFailure=, OnSuccess=)
 *   stops-with   a stop of `to` stops `from` (Requires=, PartOf=)
 *   conflicts    a start of either stops the other
 *   enables      enabling or disabling `from` does the same to `to` (Also=)
 */
type LinkKind = 'starts' | 'starts-late' | 'stops-with' | 'conflicts' | 'enables'

/**
 * Keys of `[Unit]`. Links that systemd adds by itself (shutdown.target, sysinit.target …) are in no text, and don't count.
 */
const kindsOfKeys: ReadonlyMap<string, readonly LinkKind[]> = new Map([
  ['BindTo', ['starts', 'stops-with']],
  ['BindsTo', ['starts', 'stops-with']],
  ['Conflicts', ['conflicts']],
  ['OnFailure', ['starts-late']],
  ['OnSuccess', ['starts-late']],
  ['PartOf', ['stops-with']],
  ['Requires', ['starts', 'stops-with']],
  ['RequiresOverridable', ['starts', 'stops-with']],
  ['Requisite', ['stops-with']],
  ['RequisiteOverridable', ['stops-with']],
  ['StopPropagatedFrom', ['stops-with']],
  ['Upholds', ['starts']],
  ['Wants', ['starts']],
])

/** Keys of `[Install]`, once the unit is enabled: in the reverse direction. */
const kindsOfInstall: ReadonlyMap<string, readonly LinkKind[]> = new Map([
  ['RequiredBy', ['starts', 'stops-with']],
  ['UpheldBy', ['starts']],
  ['WantedBy', ['starts']],
])

const kindsOfFolders: ReadonlyMap<string, readonly LinkKind[]> = new Map([
  ['requires', ['starts', 'stops-with']],
  ['upholds', ['starts']],
  ['wants', ['starts']],
])

/** Most texts name no other unit than the boot target, and needn't be parsed for it. */
const namingKeys = new RegExp(
  `^\\s*(?:${[...kindsOfKeys.keys(), 'PropagatesStopTo', 'Sockets', 'Also', 'RequiredBy', 'UpheldBy'].join('|')}|WantedBy(?!\\s*=\\s*(?:multi-user|default|graphical)\\.target\\s*$))\\s*=`,
  'm',
)

/** Unit that a socket, timer or path starts, by section and key. */
const triggerKeys: Readonly<Record<string, readonly [section: string, key: string]>> = {
  path: ['Path', 'Unit'],
  socket: ['Socket', 'Service'],
  timer: ['Timer', 'Unit'],
}

/** Units whose own text asks for `unit` once they are enabled or linked to it. */
export function readLinks(unit: string, isEnabled: boolean, disk: UnitSearchPath): UnitLink[] {
  const entries = disk
    .texts(unit)
    .filter(text => isTrigger(unit) || namingKeys.test(text))
    .flatMap(readEntries)
  const named = (value: string): string[] =>
    value
      .replace(/["']/g, '')
      .split(/\s+/)
      .filter(Boolean)
      .flatMap(word => expandSpecifiers(word, unit) ?? [])
  const links: UnitLink[] = []
  for (const { section, key, value } of entries) {
    if (key === undefined) continue
    for (const name of named(value)) {
      const how = `${key}=${name} of ${unit}`
      const add = (kinds: readonly LinkKind[] = [], from = unit, to = name): void => {
        for (const kind of kinds) links.push({ kind, from, to, how })
      }
      if (section === 'Unit') add(kindsOfKeys.get(key))
      if (section === 'Unit' && key === 'PropagatesStopTo') add(['stops-with'], name, unit)
      if (section === 'Service' && key === 'Sockets') add(['starts'])
      if (section === 'Install' && key === 'Also') add(['enables'])
      if (section === 'Install' && isEnabled) add(kindsOfInstall.get(key), name, unit)
    }
  }
  return [...links, ...readTrigger(unit, entries)]
}

function isTrigger(unit: string): boolean {
  return /\.(?:socket|timer|path)$/.test(unit)
}

function readTrigger(unit: string, entries: ReturnType<typeof readEntries>): UnitLink[] {
  if (!isTrigger(unit)) return []
  const [, base = '', suffix = ''] = /^(.*)\.([a-z]+)$/.exec(unit) ?? []
  const [section, key] = triggerKeys[suffix] ?? []
  if (section === undefined || entries.length === 0) return []
  const named = entries.findLast(entry => entry.section === section && entry.key === key)?.value
  const to = named === undefined || named === '' ? unitOf(base) : (expandSpecifiers(named, unit) ?? named)
  return [{ kind: 'starts', from: unit, to, how: `${unit} starts ${to}` }]
}

/** Links in its directories, `UNIT.wants` and the like, which somebody may have made manually. */
export function readFolders(
  unit: string,
  disk: UnitSearchPath,
  isStale: (folder: string, unit: string) => boolean,
): UnitLink[] {
  return [...kindsOfFolders].flatMap(([suffix, kinds]) => {
    const folder = `${unit}.${suffix}`
    const names = disk.folder(folder).filter(name => !isStale(folder, name))
    return names.flatMap(to => kinds.map((kind): UnitLink => ({ kind, from: unit, to, how: `${folder}/${to}` })))
  })
}
