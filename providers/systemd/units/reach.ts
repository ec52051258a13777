import { expandSpecifiers } from './unit-name.ts'

/**
 * Which other units a unit, a drop-in, a socket or a timer has to do with, by the keys that name units. Not what it is only ordered
 * after or before.
 *
 * It takes too much rather than too little. Whatever the section, a key counts, and so does each line by itself as well as what
 * it goes on in: where systemd's reading of a line may differ from Reeve's, both count.
 */
export function findTouchedUnits(text: string, unit: string): string[] {
  const found = new Set<string>()
  for (const [key, value] of listKeys(text)) {
    for (const name of unitsNamedBy(key, value, unit)) found.add(name)
  }
  return [...found]
}

/** These start, stop or replace what they name, or are stopped, reloaded or given something with it. */
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

/** Units that these name are only pulled in. */
const pullingKeys: ReadonlySet<string> = new Set(['BindTo', 'BindsTo', 'Requires', 'Requisite', 'Wants'])

/** To pull these in waits for something or starts what every host starts anyhow. */
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

/** What starts services at boot: to be wanted by them is to be enabled. */
const bootTargets: ReadonlySet<string> = new Set([
  ...passiveTargets,
  'default.target',
  'graphical.target',
  'multi-user.target',
])

/** What happens to the whole host when the unit ends so. */
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

/** Each line with a key, with all that it may go on in. systemd takes `\r` and NUL for the end of a line too. */
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

/** Quotes fall away, also within a word. */
function wordsOf(value: string): string[] {
  return value.replace(/["']/g, '').split(/\s+/).filter(Boolean)
}

/** As systemd-escape --path: what can't be known so is left as it is, and fits no pattern by chance. */
function escapePath(path: string): string {
  const plain = path.split('/').filter(Boolean).join('/')
  if (plain === '') return '-'
  return plain.replaceAll('-', '\\x2d').replaceAll('/', '-')
}
