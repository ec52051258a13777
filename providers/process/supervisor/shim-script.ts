import type { Process } from '../../../src/core/model/facility.ts'
import { isWrapped } from '../../posix/exec-wrapper.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'
import { type Layout, type RunPart, runPath } from '../shared/layout.ts'
import type { Tools } from '../shared/tools.ts'

/**
 * Process between the supervisor and a service: the service outlives the supervisor, and its exit status isn't lost while
 * there is none. The shim is one /bin/sh for each run of a service, and forks nothing but the service:
 *
 *   NAME~N.shim  its own line of /proc/self/stat, created exclusively: the claim on this run. A second shim starts nothing,
 *                so that no run is ever started twice, whatever crashed
 *   NAME~N.pid   the service's line of /proc/self/stat, written before it is executed; pid and start time stay the same
 *   NAME~N.said  reason why the service could not be executed, written by the exec wrapper (posix/exec-wrapper.ts)
 *   NAME~N.exit  `STATUS UPTIME LEFT`: exit status of the shell (128 and more: a signal); seconds since boot; whether
 *                members of its process group were left (`left` or `none`)
 *
 * On a full or read-only disk none of these is written, and the service is started all the same: the process table shows
 * parents and children, and the shim's own exit status is the service's. If not even the script can be written, it is passed
 * to the shell as a text, without a claim: only the supervisor that passed it knows of the run.
 *
 * The shell's own signals are caught, not ignored: the service gets them with their default. It runs in the foreground
 * of a subshell, since a shell has its background children ignore INT and QUIT; and setsid(1) there needn't fork, so the
 * pid stays, and is the service's process group and session as well.
 */
export interface ShimPlan {
  readonly service: string
  readonly run: number
  readonly bootId: string
  readonly umask: number
  /** Directory entered with the rights of the shim; `/` if the service's user has to enter its own. */
  readonly workingDirectory: string
  /** Command line that is executed in the end: see `chainOf`. */
  readonly chain: readonly string[]
  /** Whether the chain opens the output itself. Earlier messages go to NAME~N.said. */
  readonly opensOutput: boolean
}

/** Words that run a shim; `text`: the script, if it isn't in its file. */
export function shimCommand(script: string, text?: string): readonly string[] {
  return text === undefined ? ['/bin/sh', script] : ['/bin/sh', '-c', text, script]
}

/** Descriptor of NAME~N.said, for the exec wrapper, which closes it. */
export const saidDescriptor = 4

/** Numeric ids to run as. `groups`: take the user's supplementary groups too. */
export interface Identity {
  readonly uid?: number
  readonly gid?: number
  readonly groups: boolean
}

/** `isWritten`: the script is in its file. */
export function renderShim(layout: Layout, plan: ShimPlan, isWritten = true): string {
  const path = (part: RunPart): string => quoteWord(runPath(layout, plan.service, plan.run, part))
  const umask = plan.umask.toString(8).padStart(4, '0')
  const isHeard = plan.chain.some((_word, index) => isWrapped(plan.chain.slice(index)))
  // A failing redirection of exec, or of `:`, ends the shell.
  const hear = `{ :; } 2>/dev/null >${path('said')} && exec ${saidDescriptor}>>${path('said')} || exec ${saidDescriptor}>/dev/null`
  const said = isHeard ? `\n  ${hear}${plan.opensOutput ? `\n  exec 2>&${saidDescriptor}` : ''}` : ''
  const claim = `{ :; } 2>/dev/null >${path('shim')} || exit 0
[ -e ${path('sh')} ] || exit 0
{ printf '%s\\n' "$__reeve"; } 2>/dev/null >>${path('shim')}
`
  return `# Run ${plan.run} of ${plan.service}, by Reeve's built-in supervisor.
# boot ${plan.bootId}
trap : HUP INT QUIT TERM
exec 3>&2 2>/dev/null
set -C
read -r __reeve </proc/self/stat
${isWritten ? claim : ''}(
  read -r __reeve </proc/self/stat
  { printf '%s\\n' "$__reeve"; } 2>/dev/null >${path('pid')}
  exec 2>&3 3>&-${said}
  umask ${umask}
  cd -P -- ${quoteWord(plan.workingDirectory)} || exit 126
  unset __reeve OLDPWD
  exec ${quoteWords(plan.chain)}
)
__reeve_status=$?
__reeve_left=left
{ read -r __reeve_pid __reeve; } <${path('pid')} && ! kill -0 "-$__reeve_pid" 2>/dev/null && __reeve_left=none
read -r __reeve_uptime __reeve </proc/uptime
{ printf '%s %s %s\\n' "$__reeve_status" "$__reeve_uptime" "$__reeve_left"; } >${path('exit')}
exit "$__reeve_status"
`
}

/**
 * Command line that becomes the service, each part executing the next: a session of its own, limits while there may still be
 * the right to raise them, the user, and the actions with that user's rights. It contains no value of a variable (S9).
 */
export function chainOf(
  process: Process,
  identity: Identity | undefined,
  wrapper: readonly string[],
  tools: Tools,
): readonly string[] {
  return [...one(tools.setsid), ...preparationOf(process, identity, wrapper, tools), ...process.command]
}

/** As for the service itself, but without the session: for commands run in its place, such as `reload.command`. */
export function preparationOf(
  process: Process,
  identity: Identity | undefined,
  wrapper: readonly string[],
  tools: Tools,
): readonly string[] {
  const limits = Object.entries(process.limits)
  return [
    ...(limits.length > 0 ? one(tools.prlimit, ...limits.map(([name, limit]) => `--${name}=${limit}:${limit}`)) : []),
    ...(identity ? changeUser(identity, tools) : []),
    ...wrapper,
  ]
}

/** Words before a command that is to have these ids. */
export function changeUser({ uid, gid, groups }: Identity, tools: Tools): readonly string[] {
  return one(
    tools.setpriv,
    ...(uid === undefined ? [] : [`--reuid=${uid}`]),
    ...(gid === undefined ? [] : [`--regid=${gid}`]),
    groups ? '--init-groups' : '--clear-groups',
  )
}

function one(tool: string | undefined, ...options: readonly string[]): readonly string[] {
  return tool === undefined ? [] : [tool, ...options, '--']
}

/**
 * True if a command line is that of a run which has not become the service yet: of a tool or the exec wrapper, with the rest
 * of the chain still to come. `chain` is undefined for a run that another supervisor started.
 */
export function isPreparing(
  commandLine: readonly string[],
  chain: readonly string[] | undefined,
  command: readonly string[],
  tools: Tools,
): boolean {
  if (!chain) return isWrapped(commandLine) || Object.values(tools).includes(commandLine[0])
  if (commandLine.length <= command.length || commandLine.length > chain.length) return false
  const offset = chain.length - commandLine.length
  return commandLine.every((word, index) => word === chain[offset + index])
}
