import { expandSpecifiers } from './unit-name.ts'

/**
 * Other units that a unit, a drop-in, a socket or a timer affects, by the keys that name units. Not those that it is only
 * ordered after or before. Includes too many rather than too few: whatever the section, a key counts, and so does each line
 * by itself as well as its continuation: where systemd may parse a line differently from Reeve, both readings count.
 */
export function findTouchedUnits(text: string, unit: string): string[] {
  const found = new Set<string>()
  for (const [key, value] of listKeys(text)) {
    for (const name of unitsNamedBy(key, value, unit)) found.add(name)
  }
  return [...found]
}

/** Keys that start, stop or replace the named units, or have them stopped, reloaded or given something with this one. */
const namingKeys: ReadonlySet<string> = new Set([
  'Alias',
  'Also',
  'BindTo',
  'BindsTo',
  'BoundBy',
  'Conflicts',
  'ConflictedBy',
  'ConsistsOf',
  'JoinsNamespaceOf',
  'OnFailure',
  'OnFailureOf',
  'OnSuccess',
  'OnSuccessOf',
  'PartOf',
  'PropagateReloadFrom',
  'PropagateReloadTo',
  'PropagatesReloadTo',
  'PropagatesStopTo',
  'ReloadPropagatedFrom',
  'RequiredBy',
  'Requires',
  'RequiresOverridable',
  'Requisite',
  'RequisiteOf',
  'RequisiteOverridable',
  'Service',
  'Sockets',
  'StopPropagatedFrom',
  'TriggeredBy',
  'Triggers',
  'Unit',
  'UpheldBy',
  'Upholds',
  'WantedBy',
  'Wants',
])

/** Keys whose units are only pulled in. */
const pullingKeys: ReadonlySet<string> = new Set(['BindTo', 'BindsTo', 'Requires', 'Requisite', 'Wants'])

/** Units that are harmless to pull in: they only wait, or start what every host starts anyhow. */
const passiveTargets: ReadonlySet<string> = new Set([
  'basic.target',
  'cryptsetup.target',
  'local-fs-pre.target',
  'local-fs.target',
  'network-online.target',
  'network-pre.target',
  'network.target',
  'nss-lookup.target',
  'nss-user-lookup.target',
  'paths.target',
  'remote-cryptsetup.target',
  'remote-fs-pre.target',
  'remote-fs.target',
  'rpcbind.target',
  'slices.target',
  'sockets.target',
  'swap.target',
  'sysinit.target',
  'time-set.target',
  'time-sync.target',
  'timers.target',
])

/** Targets that start services at boot: to be wanted by them is to be enabled. */
const bootTargets: ReadonlySet<string> = new Set([
  ...passiveTargets,
  'default.target',
  'graphical.target',
  'multi-user.target',
])

/** Actions on the whole host when the unit ends. */
const actionKeys: ReadonlySet<string> = new Set([
  'FailureAction',
  'JobTimeoutAction',
  'StartLimitAction',
  'SuccessAction',
])

function unitsNamedBy(key: string, value: string, unit: string): string[] {
  if (actionKeys.has(key)) {
    const [action = ''] = /^[a-z]*/.exec(value) ?? []
    return action === '' || action === 'none' ? [] : [`${action}.target`]
  }
  if (/^(?:Requires|Wants)MountsFor$/.test(key)) return wordsOf(value).map(path => `${escapePath(path)}.mount`)
  if (key === '.include') return [`.include ${value}`]
  if (!namingKeys.has(key)) return []
  return wordsOf(value)
    .map(word => expandSpecifiers(word, unit) ?? word)
    .filter(name => name !== unit)
    .filter(name => !(pullingKeys.has(key) && passiveTargets.has(name)))
    .filter(name => !(key === 'WantedBy' && bootTargets.has(name)))
}

/** Each line with a key, with all its possible continuations. systemd takes `\r` and NUL for the end of a line too. */
function* listKeys(text: string): Generator<[key: string, value: string]> {
  const lines = text.split(/[\n\r\0]/)
  for (const [index, first] of lines.entries()) {
    const [, include] = /^\s*\.include\s+(.*)$/.exec(first) ?? []
    if (include !== undefined) yield ['.include', include]
    const [, key, start = ''] = /^\s*([A-Za-z]+)\s*=(.*)$/.exec(first) ?? []
    if (key === undefined) continue
    let value = start
    for (let next = index + 1; value.trimEnd().endsWith('\\') && next < lines.length; next += 1) {
      const line = lines[next] ?? ''
      if (!/^\s*[#;]/.test(line)) value = `${value.trimEnd().slice(0, -1)} ${line}`
    }
    yield [key, value.trim()]
  }
}

/** Quotes are removed, also within a word. */
function wordsOf(value: string): string[] {
  return value.replace(/["']/g, '').split(/\s+/).filter(Boolean)
}

/** As systemd-escape --path: an unknown part stays as it is, and matches no pattern by chance. */
function escapePath(path: string): string {
  const plain = path.split('/').filter(Boolean).join('/')
  if (plain === '') return '-'
  return plain.replaceAll('-', '\\x2d').replaceAll('/', '-')
}
