import type { ReadHost } from '../../src/core/contracts/host.ts'
import type { Provider } from '../../src/core/contracts/provider.ts'
import type { Process } from '../../src/core/model/facility.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { quoteWord } from '../posix/shell-quoting.ts'
import { scriptSchemas } from '../scan-directory/definition/native-text.ts'
import { signalNumber } from '../scan-directory/definition/shell-functions.ts'
import { type Family, type FamilyScripts, type Scanner, scriptFields } from '../scan-directory/family.ts'
import { createScanProvider } from '../scan-directory/provider.ts'
import { parseS6Status } from './status.ts'

/** Additional time in ms that a finish script may take after everything it waits for: then it gets KILL. */
const finishGrace = 10_000

/** File sizes in bytes that s6-log accepts. */
const leastSize = 4_096
const largestSize = 268_435_455

const scripts: FamilyScripts = {
  // s6-supervise makes a session of its own for each run.
  session: [],
  /** Words without blanks, which the shell splits again. Without -G the supplementary groups of s6-svscan would stay. */
  selectUser({ user }) {
    const groups = user === undefined ? '$__reeve_gid' : `$(id -G -- ${quoteWord(user)} | tr ' ' ',')`
    const uid = user === undefined ? '' : ' -u $__reeve_uid'
    return `__reeve_user="s6-applyuidgid -g $__reeve_gid -G ${groups}${uid}"`
  },
  hasFinish: true,
  hasControl: false,
  signalsGroup: false,
  // s6-supervise takes 125 for the final end.
  stayDown: 'exit 125',
  // The flags are the last byte, whatever the version.
  isWantedDown: '[ $(($(tail -c 1 supervise/status | od -An -tu1) & 4)) = 0 ]',
  runLogger: ({ maxSize, keep }) => `exec s6-log n${keep} s${maxSize} .`,
  findRotationProblem({ maxSize, keep }) {
    if (keep === 0) return 's6-log keeps at least one old file: declare keep: 1'
    if (maxSize >= leastSize && maxSize <= largestSize) return undefined
    return `s6-log takes a maxSize between ${leastSize} and ${largestSize} bytes`
  },
  settings: ['down-signal', 'timeout-kill', 'timeout-finish'],
  moreFiles: process => renderSettings(process),
}

function renderSettings({ stop, restart }: Process): Record<string, { content: string; mode: number }> {
  const setting = (value: number): { content: string; mode: number } => ({ content: `${value}\n`, mode: 0o644 })
  return {
    'down-signal': setting(signalNumber(stop.signal)),
    // 0 would mean: never.
    'timeout-kill': setting(Math.max(stop.timeout, 1)),
    'timeout-finish': setting(stop.timeout + restart.delay + finishGrace),
  }
}

/** Name of the value of -c in the usage of s6-svscan as long as it counts services: since 2.12 logs count as well. */
const countOfServices = 'maxservices'

/** Without -c the limit depends on the version. */
function readMaximum({ pid, words }: Scanner, host: ReadHost): number | undefined {
  const index = words.findLastIndex(word => /^-c\d*$/.test(word))
  const value = words[index]?.slice('-c'.length) || words[index + 1]
  if (index < 0 || !host.readText(`/proc/${pid}/exe`)?.includes(countOfServices)) return undefined
  return Number(value)
}

const family: Family = {
  type: 's6',
  scanner: 's6-svscan',
  scansFromInside: true,
  supervisor: 's6-supervise',
  supervisesLog: false,
  mostServices: readMaximum,
  limitOption: '-c',
  serviceDirectory: '/run/service',
  definitionDirectory: '/etc/s6/sv',
  livenessPipe: 'control',
  launchers: ['s6-applyuidgid'],
  tools: ['s6-svscanctl', 's6-applyuidgid', 's6-log', 'sha256sum'],
  debianPackage: 's6',
  process: scriptFields,
  configSchema: {
    type: 'object',
    'x-policy': ['config'],
    description: 'Scripts of an s6 service, as native text, and how it says that it is ready.',
    additionalProperties: false,
    properties: {
      run: scriptSchemas.run,
      finish: scriptSchemas.finish,
      logRun: scriptSchemas.logRun,
      notificationFd: {
        type: 'integer',
        minimum: 3,
        maximum: 1_000,
        description: 'The number of the file descriptor on which the service writes a line when it is ready.',
      },
    },
  },
  logsComeWith: 'link',
  parseStatus: parseS6Status,
  // -n as well: else the supervisor of a removed link continues.
  async announce(serviceDirectory, host) {
    const { exitCode, stderr } = await host.run(['s6-svscanctl', '-an', serviceDirectory], { timeout: 10_000 })
    if (exitCode !== 0) throw new ReeveError('failed', `s6-svscanctl -an ${serviceDirectory} failed: ${stderr.trim()}`)
  },
  scripts,
}

/** Provider for s6: s6-svscan and s6-supervise. See README.md beside this file. */
export const s6Provider: Provider = createScanProvider(family)
