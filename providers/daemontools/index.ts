import type { Provider } from '../../src/core/provider.ts'
import { quoteWord } from '../posix/shell-quoting.ts'
import { type Family, type FamilyScripts, scriptFields } from '../scan-directory/family.ts'
import { scriptSchemas } from '../scan-directory/native-text.ts'
import { createScanProvider } from '../scan-directory/provider.ts'
import { parseDaemontoolsStatus } from './status.ts'

const scripts: FamilyScripts = {
  session: ['pgrphack'],
  selectUser: ({ user }) => (user === undefined ? '' : `__reeve_user=setuidgid\\ ${quoteWord(user)}`),
  hasFinish: false,
  hasControl: false,
  signalsGroup: true,
  // There is no finish script for them to stand in.
  stayDown: '',
  isWantedDown: '',
  // It has no log: svscan (seen with 0.76) takes note of one only when it first sees a directory, so none could come later.
  runLogger: () => '',
  findOutputProblem: () => undefined,
  moreFiles: () => ({}),
}

const family: Family = {
  type: 'daemontools',
  scanner: 'svscan',
  supervisor: 'supervise',
  scanInterval: 5_000,
  serviceDirectory: '/etc/service',
  definitionDirectory: '/etc/sv',
  livenessPipe: 'ok',
  launchers: ['pgrphack', 'setuidgid'],
  tools: ['pgrphack', 'setuidgid', 'sha256sum'],
  debianPackage: 'daemontools',
  // supervise runs nothing at the end of a service, and setuidgid takes the groups of its user.
  process: scriptFields.filter(field => !['group', 'restart.policy', 'output.file'].includes(field)),
  configSchema: {
    type: 'object',
    description: 'Scripts of a daemontools service, as native text.',
    additionalProperties: false,
    properties: { run: scriptSchemas.run },
  },
  scansLogs: false,
  parseStatus: parseDaemontoolsStatus,
  scripts,
}

/** daemontools: svscan and supervise. See README.md beside this file. */
export const daemontoolsProvider: Provider = createScanProvider(family)
