import type { Provider } from '../../src/core/contracts/provider.ts'
import { scriptSchemas } from '../scan-directory/definition/native-text.ts'
import { type Family, type FamilyScripts, scriptFields } from '../scan-directory/family.ts'
import { createScanProvider } from '../scan-directory/provider.ts'
import { parseDaemontoolsStatus } from './status.ts'

/** File sizes in bytes that multilog accepts, and the fewest old files that it keeps. */
const leastSize = 4_096
const largestSize = 16_777_215
const fewestKept = 2

/** The last byte of the status is `u`, `d`, or 0 for a service that is not started again. */
const isWantedDown = '[ $(($(tail -c 1 supervise/status | od -An -tu1))) != 117 ]'

const scripts: FamilyScripts = {
  session: ['pgrphack'],
  /** setuidgid sets neither another group nor the supplementary groups of its user. */
  selectUser({ user }) {
    const own = user === undefined ? '--clear-groups' : '--reuid=$__reeve_uid --init-groups'
    return `__reeve_user="setpriv --regid=$__reeve_gid ${own} --"`
  },
  hasFinish: false,
  hasControl: false,
  signalsGroup: true,
  // The wait ends only once supervise knows, which would otherwise start the service once more.
  stayDown: `{
    __reeve_tell d
    until __reeve_wants_down; do __reeve_tell d && sleep 0.05 || break; done
  }`,
  isWantedDown,
  runLogger: ({ maxSize, keep }) => `exec multilog n${keep} s${maxSize} .`,
  findRotationProblem({ maxSize, keep }) {
    if (keep < fewestKept) return `multilog keeps at least ${fewestKept} old files: declare keep: ${fewestKept}`
    if (maxSize >= leastSize && maxSize <= largestSize) return undefined
    return `multilog takes a maxSize between ${leastSize} and ${largestSize} bytes`
  },
  settings: [],
  moreFiles: () => ({}),
}

const family: Family = {
  type: 'daemontools',
  scanner: 'svscan',
  scansFromInside: true,
  supervisor: 'supervise',
  supervisesLog: false,
  scanInterval: 5_000,
  // Compiled into svscan.
  mostServices: () => 1_000,
  serviceDirectory: '/etc/service',
  definitionDirectory: '/etc/sv',
  livenessPipe: 'ok',
  launchers: ['pgrphack', 'setpriv'],
  tools: ['pgrphack', 'multilog', 'sha256sum'],
  debianPackage: 'daemontools',
  process: scriptFields,
  configSchema: {
    type: 'object',
    'x-policy': ['config'],
    description: 'Scripts of a daemontools service, as native text.',
    additionalProperties: false,
    properties: { run: scriptSchemas.run, logRun: scriptSchemas.logRun },
  },
  logsComeWith: 'directory',
  parseStatus: parseDaemontoolsStatus,
  scripts,
}

/** Provider for daemontools: svscan and supervise. See README.md beside this file. */
export const daemontoolsProvider: Provider = createScanProvider(family)
