import type { Process } from '../../../src/core/facility.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'
import { type Layout, runPath } from '../layout.ts'

/**
 * The shim stands between the supervisor and a service, so that the service outlives the supervisor and its exit status
 * isn't lost while there is none. It is one /bin/sh for each run of a service, and forks nothing but the service:
 *
 *   NAME~N.shim  its own line of /proc/self/stat, created exclusively: the claim on this run. Whoever comes second starts
 *                nothing, so that no run ever is started twice, whatever crashed
 *   NAME~N.pid   the service's line of /proc/self/stat, written before it is executed; pid and start time stay the same
 *   NAME~N.exit  `STATUS UPTIME LEFT`: as the shell has it (128 and more: a signal); seconds since boot; whether members
 *                of its process group were left (`left` or `none`)
 *
 * The shell's own signals are caught, not ignored: the service gets them with their default. It runs in the foreground
 * of a subshell, since a shell has its background children ignore INT and QUIT; and setsid(1) there needn't fork, so the
 * pid stays, and is the service's process group and session as well.
 */
export interface ShimPlan {
  readonly service: string
  readonly run: number
  readonly bootId: string
  readonly process: Process
  /** What is executed in the end: see `chainOf`. */
  readonly chain: readonly string[]
}

/** Where the programs are that prepare a service; absent where the host has none. */
export interface Tools {
  readonly setsid?: string
  readonly prlimit?: string
  readonly setpriv?: string
  readonly env?: string
}

/** Numeric ids to run as. `groups`: take the user's supplementary groups too. */
export interface Identity {
  readonly uid?: number
  readonly gid?: number
  readonly groups: boolean
}

export function renderShim(layout: Layout, plan: ShimPlan): string {
  const path = (part: 'sh' | 'shim' | 'pid' | 'exit'): string =>
    quoteWord(runPath(layout, plan.service, plan.run, part))
  const umask = (plan.process.umask ?? 0o022).toString(8).padStart(4, '0')
  return `# Run ${plan.run} of ${plan.service}, by Reeve's built-in supervisor.
# boot ${plan.bootId}
trap : HUP INT QUIT TERM
exec 3>&2 2>/dev/null
set -C
read -r __reeve </proc/self/stat
{ printf '%s\\n' "$__reeve"; } 2>/dev/null >${path('shim')} || exit 0
[ -e ${path('sh')} ] || exit 0
(
  exec 2>&3 3>&-
  read -r __reeve </proc/self/stat
  printf '%s\\n' "$__reeve" >${path('pid')} || exit 126
  umask ${umask}
  cd -P -- ${quoteWord(plan.process.workingDirectory ?? '/')} || exit 126
  unset __reeve OLDPWD
  exec ${quoteWords(plan.chain)}
)
__reeve_status=$?
__reeve_left=none
read -r __reeve_pid __reeve <${path('pid')} && kill -0 "-$__reeve_pid" 2>/dev/null && __reeve_left=left
read -r __reeve_uptime __reeve </proc/uptime
printf '%s %s %s\\n' "$__reeve_status" "$__reeve_uptime" "$__reeve_left" >${path('exit')}
`
}

/**
 * The command line that becomes the service, each part executing the next: a session of its own, limits while there may
 * still be the right to raise them, the user, and variables that may only reach the service itself.
 */
export function chainOf(
  process: Process,
  identity: Identity | undefined,
  variables: readonly (readonly [name: string, value: string])[],
  tools: Tools,
): readonly string[] {
  return [...one(tools.setsid), ...preparationOf(process, identity, variables, tools), ...process.command]
}

/** As for the service itself, but without the session: for commands run in its place, such as `reload.command`. */
export function preparationOf(
  process: Process,
  identity: Identity | undefined,
  variables: readonly (readonly [name: string, value: string])[],
  tools: Tools,
): readonly string[] {
  const limits = Object.entries(process.limits)
  return [
    ...(limits.length > 0 ? one(tools.prlimit, ...limits.map(([name, limit]) => `--${name}=${limit}:${limit}`)) : []),
    ...(identity ? one(tools.setpriv, ...identityOptions(identity)) : []),
    ...(variables.length > 0 ? one(tools.env, ...variables.map(([name, value]) => `${name}=${value}`)) : []),
  ]
}

/** env(1) takes what holds a `=` for a variable, wherever `--` stands; the others end their options with it. */
function one(tool: string | undefined, ...options: readonly string[]): readonly string[] {
  if (tool === undefined) return []
  return tool.endsWith('/env') ? [tool, '--', ...options] : [tool, ...options, '--']
}

function identityOptions({ uid, gid, groups }: Identity): string[] {
  return [
    ...(uid === undefined ? [] : [`--reuid=${uid}`]),
    ...(gid === undefined ? [] : [`--regid=${gid}`]),
    groups ? '--init-groups' : '--clear-groups',
  ]
}

/**
 * Whether a command line is that of a run which has not become the service yet: of a tool that still has the rest of the
 * chain before it. `chain` is undefined for a run that another supervisor started.
 */
export function isPreparing(
  commandLine: readonly string[],
  chain: readonly string[] | undefined,
  command: readonly string[],
  tools: Tools,
): boolean {
  if (!chain) return Object.values(tools).includes(commandLine[0])
  if (commandLine.length <= command.length || commandLine.length > chain.length) return false
  const offset = chain.length - commandLine.length
  return commandLine.every((word, index) => word === chain[offset + index])
}
