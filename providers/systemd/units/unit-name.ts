import type { Facility } from '../../../src/core/model/facility.ts'
import type { ServiceNames } from '../../../src/core/model/service-name.ts'

const suffixes = [
  'service',
  'socket',
  'timer',
  'target',
  'path',
  'mount',
  'automount',
  'swap',
  'slice',
  'scope',
  'device',
]
const suffixPattern = new RegExp(`\\.(?:${suffixes.join('|')})$`)

/** systemd.unit(5). An escaped character is `\xHH`, which is part of the name: `site\x2da` isn't `site-a`. */
export const serviceNames: ServiceNames = {
  pattern: '[A-Za-z0-9_:\\\\-][A-Za-z0-9_.:\\\\-]*(?:@[A-Za-z0-9_.:\\\\@-]*)?',
  words: 'letters, digits and _ . @ : - \\, as systemd.unit(5) has it, with neither . nor @ at its beginning',
}

/** With its suffix. */
const LONGEST = 255

/** Unit of a service name: `nginx` is `nginx.service`, `fstrim.timer` is itself. */
export function unitOf(service: string): string {
  return suffixPattern.test(service) ? service : `${service}.service`
}

/** Types of units that are no services, and no activation units: the host itself, its storage, groups of processes. */
const otherKinds: Readonly<Record<string, string>> = {
  target: 'a target, which is a state of the whole host or a group of units',
  mount: 'a mount point',
  automount: 'a mount point',
  swap: 'swap space',
  slice: 'a group of processes',
  scope: 'a group of processes that somebody else has started',
  device: 'a device',
}

/** Units whose start ends or stops the host, or everything else on it. */
const hostActions: ReadonlySet<string> = new Set([
  'emergency',
  'rescue',
  'systemd-exit',
  'systemd-halt',
  'systemd-hibernate',
  'systemd-hybrid-sleep',
  'systemd-kexec',
  'systemd-poweroff',
  'systemd-reboot',
  'systemd-soft-reboot',
  'systemd-suspend',
  'systemd-suspend-then-hibernate',
])

/** Of its two possible names, a service has the short one; and not every unit is a service. */
export function findNameProblem(service: string): string | undefined {
  const unit = unitOf(service)
  if (unit.length > LONGEST)
    return `expected a unit's name of at most ${LONGEST} characters, found ${unit.length}: ${unit}`
  const [, suffix = ''] = /\.([a-z]+)$/.exec(unit) ?? []
  const kind = otherKinds[suffix]
  if (kind !== undefined) return `expected a service, socket, timer or path unit, found ${unit}, ${kind}`
  if (hostActions.has(service)) return `expected a service, found ${unit}, which stops the host or what runs on it`
  const [, prefix = ''] = /^([^@]*)(?:@.*)?\.[a-z]+$/.exec(unit) ?? []
  if (prefix.endsWith('-')) {
    return `expected a name that doesn't end in "-", found ${service}: systemd takes what is added to it for all units whose names begin so`
  }
  if (unit !== service || !unit.endsWith('.service')) return undefined
  return `expected ${unit.slice(0, -'.service'.length)}, found ${service}: leave out .service`
}

export function hasSuffix(service: string): boolean {
  return suffixPattern.test(service)
}

/** As in `Facility.service`. */
export function serviceOfUnit(unit: string): string {
  return unit.replace(/\.service$/, '')
}

/** Services that a unit may be known by here: `web.timer` starts service `web`. */
export function servicesOf(unit: string): readonly string[] {
  const base = unit.replace(suffixPattern, '')
  return base === unit ? [unit] : [base, unit]
}

/** Units of a service's name that may start it, each a service to a facility that manages a packaged one. */
export function startersOfName(unit: string): readonly string[] {
  return unit.endsWith('.service') ? ['timer', 'socket', 'path'].map(kind => `${serviceOfUnit(unit)}.${kind}`) : []
}

/** `foo@bar.service` is made from `foo@.service`. Undefined if it is no instance. */
export function templateOf(unit: string): string | undefined {
  const [, prefix, suffix] = /^([^@]+@)[^.].*(\.[a-z]+)$/.exec(unit) ?? []
  return prefix === undefined || suffix === undefined ? undefined : `${prefix}${suffix}`
}

/** `foo@.service`: a template for instances, which itself never runs. */
export function isTemplate(unit: string): boolean {
  return /^[^@]+@\.[a-z]+$/.test(unit)
}

/** Reason why no unit of that name can be in the declared state. */
export function findStateProblem(service: string, state: Facility['state']): string | undefined {
  if (state !== 'running' || !isTemplate(unitOf(service))) return undefined
  const [prefix = '', suffix = ''] = service.split(/(?<=@)/)
  return `expected state: unmanaged, found ${state}: ${service} is a template, of which only instances run: name one, ${prefix}NAME${suffix}, to have it run`
}

/**
 * Units whose drop-ins apply to a unit, most specific first: its own, its template's, and those for all units with a common
 * prefix, as those of `web-.service` apply to `web-blue.service`.
 */
export function dropInOwnersOf(unit: string): string[] {
  const template = templateOf(unit)
  const names = template === undefined ? [unit] : [unit, template]
  return [...names, ...names.flatMap(name => listKin(name))]
}

/** `a-b@x.service` → `a-@x.service`. */
function listKin(unit: string): string[] {
  const [, name = '', rest = ''] = /^([^@]*?)(@.*|\.[a-z]+)$/.exec(unit) ?? []
  const shorter = name.replace(/-?[^-]*$/, '')
  return shorter === '' ? [] : [`${shorter}-${rest}`, ...listKin(`${shorter}${rest}`)]
}

/** D-Bus object of a unit. */
export function pathOfUnit(unit: string): string {
  const label = [...Buffer.from(unit)].map((byte, index) => {
    const letter = String.fromCharCode(byte)
    const isPlain = /[A-Za-z]/.test(letter) || (index > 0 && /[0-9]/.test(letter))
    return isPlain ? letter : `_${byte.toString(16).padStart(2, '0')}`
  })
  return `/org/freedesktop/systemd1/unit/${label.join('')}`
}

/**
 * Expands a word of `[Install]` by the specifiers that systemd supports there. Undefined: it has one that depends on the
 * host (`%H`, `%m` …).
 */
export function expandSpecifiers(word: string, unit: string): string | undefined {
  const whole = unit.replace(suffixPattern, '')
  const [, prefix = whole, instance = ''] = /^([^@]*)@(.*)$/.exec(whole) ?? []
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    n: unit,
    N: whole,
    p: prefix,
    i: instance,
    j: prefix.slice(prefix.lastIndexOf('-') + 1),
  }
  const expanded = word.replace(/%(.)/g, (all, letter: string) => known[letter] ?? all)
  return /%[aAbBdDgGhHlmMosStTuUvVwW]/.test(word.replace(/%%/g, '')) ? undefined : expanded
}

/** Unit of a D-Bus object: all but letters and digits is `_` and two hexadecimal digits there. */
export function unitOfPath(path: string): string | undefined {
  const [, label] = /^\/org\/freedesktop\/systemd1\/unit\/(\w+)$/.exec(path) ?? []
  return label?.replace(/_([0-9a-f]{2})/g, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}
