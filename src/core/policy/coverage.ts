import type { Policy } from '../model/host-configuration.ts'

/** Which keys of the policy bound a field, or why it needs none. */
export type Bound = readonly (keyof Policy)[] | string

/** The fields of one schema, as `listFields` of the tests names them: `*` stands for any key, and for any item of a list. */
export type Coverage = Readonly<Record<string, Bound>>

const names = 'only names things to Reeve and to people'
const ofFacility = 'acts on the service of the facility, which is bounded where it is named'
const ofProcess = 'changes only how the process runs, within what its user may do anyhow'
const noSecret = 'bounds what Reeve does, and reaches nothing on the host'
const native: Bound = ['config']

/** `kind: Facility`. */
export const facilityCoverage: Coverage = {
  apiVersion: names,
  kind: names,
  'metadata.name': names,
  'metadata.renamedFrom':
    'only names a facility that this Reeve owns already: what takes its place is bounded as any other',
  'metadata.labels.*': names,
  'spec.supervisor': ['supervisors'],
  'spec.serviceName': ['services'],
  'spec.state': ['services'],
  'spec.enabled': ['services'],
  'spec.process.command': ['commands'],
  'spec.process.workingDirectory': 'is entered by the process as its user, who could do so itself',
  'spec.process.user': ['users'],
  'spec.process.group': ['groups', 'users'],
  'spec.process.umask': ofProcess,
  'spec.process.environment.*': ['environment', 'commands'],
  'spec.process.environment.*.fromFile': ['reads', 'environment'],
  'spec.process.environmentFiles': ['reads', 'environment', 'commands', 'files'],
  ...Object.fromEntries(
    [
      'as',
      'core',
      'cpu',
      'data',
      'fsize',
      'locks',
      'memlock',
      'msgqueue',
      'nice',
      'nofile',
      'nproc',
      'rss',
      'rtprio',
      'rttime',
      'sigpending',
      'stack',
    ].map(name => [`spec.process.limits.${name}`, ofProcess]),
  ),
  'spec.process.restart.policy': ofProcess,
  'spec.process.restart.delay': ofProcess,
  'spec.process.stop.signal': 'is sent to the processes of the service itself',
  'spec.process.stop.timeout': ofProcess,
  'spec.process.reload.signal': 'is sent to the processes of the service itself',
  'spec.process.reload.command': ['commands'],
  'spec.process.output': 'appears on the stdout of the controller, after the name of its facility',
  'spec.process.output.file': ['files', 'commands', 'supervisorDirectories'],
  'spec.process.output.maxSize': 'is about the file, which is bounded',
  'spec.process.output.keep': ['files', 'commands', 'supervisorDirectories'],
  'spec.config.*': native,
  'spec.files.*.path': ['files', 'commands', 'supervisorDirectories'],
  'spec.files.*.content': 'goes where the path says, which is bounded',
  'spec.files.*.source': 'is read from the manifests directory only',
  'spec.files.*.owner': ['users'],
  'spec.files.*.group': ['groups', 'users'],
  'spec.files.*.mode': ['commands'],
  'spec.files.*.onChange': ofFacility,
  'spec.files.*.onRemove': 'is about a file that Reeve may write, which is bounded: it goes, or is again what it was',
  'spec.onChange': ofFacility,
  'spec.dependsOn': 'names facilities, which are bounded themselves',
  'spec.health.http.url':
    'is asked for by Reeve, with no secret but its headers, and nothing of the answer is kept: bound it by the host’s network',
  'spec.health.http.status': noSecret,
  'spec.health.http.headers.*': 'is what the repository itself says to whom it asks: bound it by the host’s network',
  'spec.health.http.headers.*.fromFile': ['reads'],
  'spec.health.http.ca': ['reads'],
  'spec.health.http.insecureSkipVerify': 'only decides whose answer counts as healthy',
  'spec.health.tcp.host': 'is connected to and left at once: bound it by the host’s network',
  'spec.health.tcp.port': 'is connected to and left at once: bound it by the host’s network',
  'spec.health.exec.command': ['commands', 'users'],
  'spec.health.interval': noSecret,
  'spec.health.timeout': noSecret,
  'spec.health.failureThreshold': noSecret,
  'spec.health.startupTimeout': noSecret,
  'spec.health.onFailure': ofFacility,
  'spec.adopt': ['services', 'files'],
  'spec.readySeconds': 'only decides when the facility counts as ready',
  'spec.prune': 'leaves what is there',
  'spec.suspend': 'leaves what is there',
}

/** `kind: Supervisor`. */
export const supervisorCoverage: Coverage = {
  apiVersion: names,
  kind: names,
  'metadata.name': 'satisfies no rule: a facility is bounded by the type of its supervisor',
  'metadata.labels.*': names,
  'spec.type': ['supervisors'],
  'spec.*': ['supervisorDirectories'],
}

/** `spec.config.<type>` of a facility. */
export const configCoverage: Readonly<Record<string, Coverage>> = {
  process: Object.fromEntries(
    [
      'command',
      'workingDirectory',
      'user',
      'group',
      'umask',
      'environment',
      'environmentFiles',
      'limits',
      ...Object.keys(facilityCoverage)
        .filter(field => field.startsWith('spec.process.limits.'))
        .map(field => field.slice('spec.process.'.length)),
      'restart',
      'restart.policy',
      'restart.delay',
      'stop',
      'stop.signal',
      'stop.timeout',
      'reload',
      'reload.signal',
      'reload.command',
      'output',
      'output.file',
      'output.maxSize',
      'output.keep',
    ].map(field => [field, native]),
  ),
  systemd: Object.fromEntries(
    [
      'unit.*.*',
      'text',
      'source',
      'dropIns.*',
      'dropIns.*.*.*',
      ...['dropIns.*', 'socket', 'timer'].flatMap(table => [`${table}.source`, `${table}.text`]),
      'socket.*',
      'timer.*',
    ].map(field => [field, ['config', 'services']]),
  ),
  runit: { run: native, finish: native, logRun: native, check: native, 'control.*': native },
  s6: { run: native, finish: native, logRun: native, notificationFd: native },
  daemontools: { run: native, logRun: native },
}

/** `spec.<type>` of a Supervisor. */
export const optionsCoverage: Readonly<Record<string, Coverage>> = {
  process: { directory: ['supervisorDirectories'] },
  systemd: {
    scope: ['supervisorDirectories'],
    unitDirectory: ['supervisorDirectories'],
    runtimeDirectory: ['supervisorDirectories'],
  },
  ...Object.fromEntries(
    ['runit', 's6', 'daemontools'].map(type => [
      type,
      {
        serviceDirectory: ['supervisorDirectories'],
        definitionDirectory: ['supervisorDirectories'],
        owner: 'has to be the user that Reeve runs as, or the supervisor is not used',
      } satisfies Coverage,
    ]),
  ),
}
