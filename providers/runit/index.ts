import type { Provider } from '../../src/core/contracts/provider.ts'
import type { Process } from '../../src/core/model/facility.ts'
import { quoteWord } from '../posix/shell-quoting.ts'
import { scriptSchemas } from '../scan-directory/definition/native-text.ts'
import { renderReloadSignal } from '../scan-directory/definition/reload-script.ts'
import { shellFunctions } from '../scan-directory/definition/shell-functions.ts'
import { type Family, type FamilyScripts, scriptFields } from '../scan-directory/family.ts'
import { createScanProvider } from '../scan-directory/provider.ts'
import { parseRunitStatus } from './status.ts'

const scripts: FamilyScripts = {
  session: ['chpst', '-P'],
  /** chpst takes one text for user and groups, and sets no group that isn't named. By number: names may contain blanks. */
  selectUser({ user }) {
    const others = user === undefined ? '' : `:$(id -G -- ${quoteWord(user)} | tr ' ' ':')`
    return `__reeve_user="chpst -u :$__reeve_uid:$__reeve_gid${others}"`
  },
  hasFinish: true,
  hasControl: true,
  signalsGroup: true,
  stayDown: '__reeve_tell d',
  isWantedDown: `read -r __reeve_rest <supervise/stat && case $__reeve_rest in *'want down'* | *'want exit'*) true ;; *) false ;; esac`,
  runLogger: ({ maxSize, keep }) => `printf 's%s\\nn%s\\n' ${maxSize} ${keep} >config\nexec svlogd . 2>&1`,
  findRotationProblem({ keep }) {
    return keep === 0 ? 'svlogd keeps at least one old file: declare keep: 1' : undefined
  },
  settings: [],
  moreFiles: renderControl,
}

/** Scripts that runsv runs in place of sending a signal itself. */
function renderControl({ reload }: Process, facility: string): Record<string, { content: string; mode: number }> {
  const files: Record<string, { content: string; mode: number }> = {
    'control/t': {
      content: `#!/bin/sh
# Made by Reeve. The stop signal to the whole process group, and KILL after the timeout.
# Only to what runsv, the parent of this script, has started.
${shellFunctions}read -r __reeve_pid __reeve_rest <reeve/claim && __reeve_start_of "$__reeve_pid" || exit 1
set -- $__reeve_stat
[ "$2" = "$PPID" ] || exit 1
exec ./reeve/stop
`,
      mode: 0o755,
    },
  }
  if (reload && 'signal' in reload && reload.signal !== 'HUP') {
    files['control/h'] = { content: renderReloadSignal(facility, reload.signal), mode: 0o755 }
  }
  return files
}

const family: Family = {
  type: 'runit',
  scanner: 'runsvdir',
  scansFromInside: false,
  supervisor: 'runsv',
  supervisesLog: true,
  scanInterval: 5_000,
  // Compiled into runsvdir.
  mostServices: () => 1_000,
  serviceDirectory: '/etc/service',
  definitionDirectory: '/etc/sv',
  livenessPipe: 'ok',
  launchers: ['chpst'],
  tools: ['chpst', 'svlogd', 'sha256sum'],
  debianPackage: 'runit',
  process: scriptFields,
  configSchema: {
    type: 'object',
    'x-policy': ['config'],
    description: 'Scripts of a runit service, as native text.',
    additionalProperties: false,
    properties: {
      ...scriptSchemas,
      control: {
        type: 'object',
        description: 'Scripts that runsv runs in place of sending a signal, by the letter of the command.',
        propertyNames: { pattern: '^[a-z0-9]$' },
        additionalProperties: { type: 'string', minLength: 1 },
      },
    },
  },
  logsComeWith: 'link',
  parseStatus: parseRunitStatus,
  scripts,
}

/** Provider for runit: runsvdir and runsv. See README.md beside this file. */
export const runitProvider: Provider = createScanProvider(family)
