import type { Capabilities } from '../../src/core/contracts/provider.ts'

/** One field of a facility: its old, its next and an invalid value. */
export interface Transition {
  /** Named as by `listFields`. */
  readonly field: string
  readonly old: Fragment
  /** Absent: no other value is valid, or not for this user. */
  readonly next?: Fragment
  readonly invalid: Fragment
  /** With the next value the service is left alone: on an empty host there would be none. */
  readonly leavesAsIs: boolean
}

/** Parts of a manifest, to be merged into a plain one. */
export type Fragment = Readonly<Record<string, unknown>>

/** Files and services that the values refer to. */
export interface Surroundings {
  /** Of the provider, and its own `spec.config`: valid, and not. */
  readonly type: string
  readonly config: { readonly valid: unknown; readonly invalid: unknown }
  /** An existing file or directory for services to use: `one`, `two`. */
  path(name: string): string
  /** Free ports: two for each facility that is probed at a port, as it has to listen there itself. */
  readonly ports: readonly Ports[]
  /** Below the manifests: `one`, `two`. */
  source(name: string): string
  readonly isRoot: boolean
  /** Which of the fields the provider honours; what it refuses is no value to come to. */
  readonly capabilities: Pick<Capabilities, 'process' | 'configSchema'>
}

export type Ports = readonly [number, number]

/** Answers HTTP requests at the given ports. */
const server = `
  const { createServer } = require('node:http')
  const answer = (_, response) => response.end()
  for (const port of process.argv.slice(1)) createServer(answer).listen(Number(port), '127.0.0.1')
`

/** `undefined`: the field is absent. */
type Values = readonly [old: unknown, next: unknown, invalid: unknown]

const noPorts: Ports = [0, 0]

const limits: Readonly<Record<string, number>> = {
  as: 4_000_000_000,
  core: 1_000_000,
  cpu: 3_600,
  data: 4_000_000_000,
  fsize: 1_000_000_000,
  locks: 100,
  memlock: 65_536,
  msgqueue: 65_536,
  nice: 0,
  nofile: 256,
  nproc: 5_000,
  rss: 4_000_000_000,
  rtprio: 0,
  rttime: 1_000_000,
  sigpending: 500,
  stack: 4_000_000,
}

/** Transitions of all fields of a facility; a new field needs a line here. */
export function listTransitions(surroundings: Surroundings): Transition[] {
  const { type, config, path, ports, source, isRoot, capabilities } = surroundings
  const vary = (field: string, [old, next, invalid]: Values, around: Fragment = {}): Transition => ({
    field,
    old: merge(around, nest(field, old, type)),
    ...(next === undefined ? {} : { next: merge(around, nest(field, next, type)) }),
    invalid: merge(around, nest(field, invalid, type)),
    leavesAsIs: false,
  })
  const leave = (transition: Transition): Transition => ({ ...transition, leavesAsIs: true })
  // Each facility writes a file of its own.
  const file = (name: string, more: Fragment = { content: 'one\n' }): Fragment => ({
    spec: { files: [{ path: path(name), ...more }] },
  })
  const healthy = { spec: { health: { exec: { command: ['/bin/true'] } } } }
  const output = (name: string): Fragment => ({ spec: { process: { output: { file: path(name) } } } })
  const http = (port: number): string => `http://127.0.0.1:${port}/`
  const listening = (at: Ports): Fragment => ({
    spec: { process: { command: [process.execPath, '-e', server, ...at.map(String)] } },
  })
  /** A stopped service has no health. */
  const unasked = (scheme: string): Fragment => ({
    spec: { state: 'stopped', health: { http: { url: `${scheme}://127.0.0.1/` } } },
  })
  const [forUrl = noPorts, forHost = noPorts, forPort = noPorts] = ports
  const user = isRoot ? 'daemon' : undefined // systemd warns of nobody

  const all = [
    vary('apiVersion', ['reeve/v1', undefined, 'reeve/v0']),
    vary('kind', ['Facility', undefined, 'Factory']),
    vary('metadata.name', ['former', 'latter', '../name']),
    vary('metadata.renamedFrom', [undefined, 'earlier', '../name']),
    vary('metadata.labels.*', [undefined, 'front', 7]),
    vary('spec.supervisor', [undefined, 'other', 'nowhere']),
    vary('spec.serviceName', [undefined, 'another', 'a/b']),
    vary('spec.state', [undefined, 'stopped', 'up']),
    leave(vary('spec.state', [undefined, 'unmanaged', true])),
    vary('spec.enabled', [undefined, false, 'yes']),
    leave(vary('spec.enabled', [undefined, 'unmanaged', 1])),
    vary('spec.onChange', [undefined, 'none', 'stop']),
    vary('spec.dependsOn', [undefined, ['anchor'], ['nobody']]),
    vary('spec.adopt', [undefined, true, 'true']),
    vary('spec.readySeconds', [undefined, 0, '1s']),
    vary('spec.rollout.minHealthyTime', [undefined, '20s', 'soon']),
    vary('spec.rollout.healthyDeadline', [undefined, '1m', 5]),
    vary('spec.rollout.onFailure', [undefined, 'hold', 'panic']),
    vary('spec.prune', [undefined, false, 0]),
    leave(vary('spec.suspend', [undefined, true, 'false'])),
    vary('spec.config.*', [undefined, config.valid, config.invalid]),

    vary('spec.process.command', [undefined, ['/bin/sleep', '1000007'], []]),
    vary('spec.process.workingDirectory', [undefined, path('one'), 7]),
    vary('spec.process.user', [undefined, user, 'a b']),
    vary('spec.process.group', [undefined, isRoot ? 'nogroup' : undefined, 'a b']),
    vary('spec.process.umask', ['0022', '0077', '9']),
    vary('spec.process.environment.*', ['one', 'two', 2]),
    vary('spec.process.environment.*.fromFile', [path('one.env'), path('two.env'), '']),
    vary('spec.process.environmentFiles', [[path('one.env')], [path('two.env')], 'one.env']),
    ...Object.entries(limits).map(([name, value]) => vary(`spec.process.limits.${name}`, [undefined, value, -1])),
    vary('spec.process.restart.policy', [undefined, 'on-failure', 'unless-stopped']),
    vary('spec.process.restart.delay', [undefined, '2s', '2']),
    vary('spec.process.stop.signal', [undefined, 'INT', 'STOPPED']),
    vary('spec.process.stop.timeout', [undefined, '3s', '-1s']),
    vary('spec.process.reload.signal', ['HUP', 'USR1', 'ANYTHING']),
    vary('spec.process.reload.command', [['/bin/true'], ['/bin/true', 'two'], []]),
    vary('spec.process.output', [undefined, undefined, 'stderr']),
    vary('spec.process.output.file', [path('one.log'), path('two.log'), 'one.log']),
    vary('spec.process.output.maxSize', [undefined, '1MiB', '1M'], output('size.log')),
    vary('spec.process.output.keep', [undefined, 1, -1], output('keep.log')),

    vary('spec.files.*.path', [path('one.conf'), path('two.conf'), 'one.conf'], { spec: { files: [{ content: '' }] } }),
    vary('spec.files.*.content', ['one\n', 'two\n', 2], file('content.conf', {})),
    vary('spec.files.*.source', [source('one'), source('two'), '../one'], file('source.conf', {})),
    vary('spec.files.*.owner', [undefined, user, 'a b'], file('owner.conf')),
    vary('spec.files.*.group', [undefined, isRoot ? 'nogroup' : undefined, 'a b'], file('group.conf')),
    vary('spec.files.*.mode', [undefined, '0600', '600x'], file('mode.conf')),
    vary('spec.files.*.onChange', [undefined, 'reload', 'stop'], file('change.conf')),
    vary('spec.files.*.onRemove', [undefined, 'delete', 'keep'], file('remove.conf')),

    vary('spec.health.http.url', [http(forUrl[0]), http(forUrl[1]), 'ftp://127.0.0.1/'], listening(forUrl)),
    vary('spec.health.http.status', [undefined, [200, '300-399'], 99], unasked('http')),
    vary('spec.health.http.headers.*', [undefined, 'one', 'two\nlines'], unasked('http')),
    vary('spec.health.http.headers.*.fromFile', [path('one.env'), path('two.env'), ''], unasked('http')),
    vary('spec.health.http.ca', [undefined, path('one.env'), ''], unasked('https')),
    vary('spec.health.http.insecureSkipVerify', [undefined, true, 'yes'], unasked('https')),
    vary(
      'spec.health.tcp.host',
      [undefined, 'localhost', 'a b'],
      merge(listening(forHost), { spec: { health: { tcp: { port: forHost[0] } } } }),
    ),
    vary('spec.health.tcp.port', [...forPort, 0], listening(forPort)),
    vary('spec.health.exec.command', [['/bin/true'], ['/bin/true', 'two'], []]),
    vary('spec.health.interval', [undefined, '5s', '1ms'], healthy),
    vary('spec.health.timeout', [undefined, '1s', 1], healthy),
    vary('spec.health.failureThreshold', [undefined, 5, 0], healthy),
    vary('spec.health.startupTimeout', [undefined, '30s', 'soon'], healthy),
    vary('spec.health.onFailure', [undefined, 'restart', 'ignore'], healthy),
  ]
  const isHonoured = (fragment: Fragment): boolean =>
    listPortable(fragment).every(field => capabilities.process.some(honoured => honoured === field))
  return all
    .filter(({ field, old }) => isHonoured(old) && (field !== 'spec.config.*' || capabilities.configSchema))
    .map(({ next, ...rest }) => ({ ...rest, ...(next && isHonoured(next) && { next }) }))
}

/** Portable fields that a fragment has, as providers name them. */
function listPortable({ spec }: Fragment): string[] {
  const process = isTable(spec) && isTable(spec.process) ? spec.process : {}
  return Object.entries(process).flatMap(([field, value]) => {
    if (!isTable(value) || field === 'limits') return field
    if (field !== 'environment') return Object.keys(value).map(key => `${field}.${key}`)
    return Object.values(value).map(each => (isTable(each) ? 'environment.fromFile' : 'environment'))
  })
}

/** `spec.files.*.path` and a value, as in a manifest; for `undefined` nothing. */
function nest(field: string, value: unknown, type: string): Fragment {
  const nested = field.split('.').reduceRight<unknown>((inner, key, index, keys) => {
    if (key !== '*') return { [key]: inner }
    const table = keys[index - 1]
    return table === 'files' ? [inner] : { [table === 'config' ? type : 'ANY']: inner }
  }, value)
  return value !== undefined && isTable(nested) ? nested : {}
}

/** Merges tables, and the items of lists; of other values the second counts. */
export function merge(under: Fragment, over: Fragment): Fragment {
  const result: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) result[key] = mergeValues(result[key], value)
  return result
}

function mergeValues(under: unknown, over: unknown): unknown {
  if (Array.isArray(under) && Array.isArray(over) && over.every(isTable)) {
    return under.map((item, index) => mergeValues(item, over[index] ?? {}))
  }
  return isTable(under) && isTable(over) ? merge(under, over) : over
}

function isTable(value: unknown): value is Fragment {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
