import { join } from 'node:path'
import type { Process } from '../../../src/core/model/facility.ts'
import { markVariable } from '../../posix/background.ts'
import { protectedPathFunctions } from '../../posix/protected-path.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'
import { renderEnding } from './end-script.ts'
import { hasLogger } from './log-script.ts'
import { renderExecution, renderPreparation, standardPath } from './prepare-script.ts'
import { absence } from './records.ts'
import { header, nap, type ScriptInput } from './script-input.ts'
import { closeDescriptors, hasClosed, shellFunctions, signalNumber } from './shell-functions.ts'
import { renderSuperviseFunctions } from './supervise-script.ts'

/** Longest name of a program that the kernel shows. */
const longestName = 15

const preparedWord = 'reeve-prepares'

/** Command line of a run script that prepares the service, until it executes it. */
export const scriptWords: readonly string[] = ['/bin/sh', './run', preparedWord]

export function renderRun(input: ScriptInput): string {
  const { facility, supervisor, scripts, process, records } = input
  const clean = ['env', '-i', `PATH=${standardPath}`]
  const closing = {
    kept: input.notificationFd,
    script: [...clean, hasClosed, ...scriptWords],
    problem: join(records, 'problem'),
  }
  return `${header(facility)}# A clean environment: nothing is inherited.
[ "$1" = ${preparedWord} ] || exec ${quoteWords(clean)} ${scriptWords.join(' ')}
${closeDescriptors(closing)}${renderOutput(process)}__reeve_umask=$(umask)
umask 077
__reeve_records=${quoteWord(records)}
${shellFunctions}# Never a second copy beside one that its supervisor has left behind.
__reeve_find_boot
__reeve_pid= __reeve_in=
{ read -r __reeve_pid __reeve_then __reeve_began __reeve_in <reeve/claim; } 2>/dev/null
[ "$__reeve_in" = "$__reeve_boot" ] || __reeve_pid=
if [ -n "$__reeve_pid" ]; then
  __reeve_is_orphan() { __reeve_start_of "$__reeve_pid" && [ "$__reeve_start" = "$__reeve_then" ]; }
  if __reeve_is_orphan; then
    # This directory was put in the place of another, in which its supervisor lives and would start it again.
    set -- $__reeve_stat
${scripts.hasFinish ? '' : '    __reeve_start_of "$2" && set -- $__reeve_stat\n'}    __reeve_is_supervisor "$2" ${supervisor.slice(0, longestName)} && kill -15 "$2"
    ./reeve/stop
    while __reeve_is_orphan; do sleep ${nap}; done
  fi
  # What is left of its process group, where nobody was left to tidy up. A process of that number now is another's.
  [ "$__reeve_pid" = - ] || __reeve_start_of "$__reeve_pid" || kill -9 "-$__reeve_pid" 2>/dev/null
fi
${scripts.hasFinish ? renderService(input) : renderKeeper(input)}`
}

/** Without a logger, output is discarded from the start. */
function renderOutput({ output }: Process): string {
  if (!output) return ''
  return hasLogger(output) ? 'exec 2>&1\n' : 'exec >/dev/null 2>&1\n'
}

/** A shell has its background children ignore INT and QUIT, which only a program can undo: that of coreutils 8.31. */
const withSignals: readonly string[] = ['env', '--default-signal=INT,QUIT', '--']

/**
 * Line of sha256sum for a configuration file, or `absent` in place of the digest if there is no regular file. If others can
 * redirect root, the file is read with the rights of its owner; and a file of root, as in /tmp, only without following a
 * link (S8).
 */
const fileDigest = `${protectedPathFunctions}__reeve_sum_of() {
  if [ "$(id -u)" != 0 ] || __reeve_is_protected "$1"; then
    [ ! -f "$1" ] || sha256sum -- "$1"
    return
  fi
  __reeve_owner=$(stat -c %u -- "$1") || return
  if [ "$__reeve_owner" != 0 ]; then
    setpriv "--reuid=$__reeve_owner" --regid=65534 --clear-groups -- /bin/sh -c '[ ! -f "$1" ] || sha256sum -- "$1"' sh "$1"
  elif __reeve_sum=$(dd "if=$1" iflag=nofollow,nonblock 2>/dev/null | sha256sum) && [ -f "$1" ]; then
    printf '%s  %s\\n' "\${__reeve_sum%% *}" "$1"
  fi
}
__reeve_digest() {
  __reeve_found=$(__reeve_sum_of "$1")
  printf '%s\\n' "\${__reeve_found:-${absence}  $1}"
}
`

const plainStart = 'umask "$__reeve_umask"\nexec '

/** True if a run script adds nothing to the native one that it executes: there is no `spec.process`. */
export function isPlainRun(run: string): boolean {
  return run.includes(plainStart)
}

/** Part of a run script that becomes the service. */
function renderService(input: ScriptInput): string {
  const { process, scripts, isNative, isPrepared, parts, records, notificationFd } = input
  const problems = { fd: notificationFd === 9 ? 8 : 9, file: '$__reeve_records/problem' }
  const session = scripts.hasFinish ? scripts.session : [...withSignals, ...scripts.session]
  const command = isNative ? [`${records}/native-run`] : process.command
  const start = isPrepared
    ? renderExecution(process, command, session, problems)
    : `${plainStart}${[...session, quoteWords(command)].join(' ')}`
  const preparation = isPrepared ? `${renderPreparation(process, scripts)}\n` : ''
  // Not $$, which in a subshell is still its parent.
  return `read -r __reeve_self __reeve_rest </proc/self/stat
__reeve_start_of "$__reeve_self"
export ${markVariable}="$__reeve_self.$__reeve_start:"
__reeve_clock
printf '%s %s %s %s\\n' "$__reeve_self" "$__reeve_start" "$__reeve_now" "$__reeve_boot" >reeve/claim
: >reeve/problem
${fileDigest}{
  sha256sum -- ${quoteWords(parts)}
  while IFS= read -r __reeve_line; do __reeve_digest "$__reeve_line"; done <reeve/files
} >reeve/loaded 2>/dev/null
${preparation}printf '%s %s\\n' "$__reeve_self" "$__reeve_start" >"$__reeve_records/launched"
${start}
`
}

/**
 * For supervisors that run nothing at the end of a service: the run script stays, with the service as its child, passes on
 * signals, and does at the end what the finish script does elsewhere.
 */
function renderKeeper(input: ScriptInput): string {
  const { process } = input
  const passed = ['HUP', 'INT', 'ALRM'].map(signal => {
    const number = signalNumber(signal)
    return `trap '__reeve_heard=yes; [ -z "$__reeve_child" ] || kill -${number} "$__reeve_child" 2>/dev/null' ${number}`
  })
  return `${renderSuperviseFunctions(input.scripts)}${renderDelay(process)}__reeve_child= __reeve_heard= __reeve_told= __reeve_supervisor=$PPID
__reeve_end_child() {
  __reeve_heard=yes __reeve_told=yes
  [ -z "$__reeve_child" ] || ./reeve/stop || kill "$__reeve_child" 2>/dev/null
}
trap __reeve_end_child ${signalNumber('TERM')}
${passed.join('\n')}
(
${renderService(input)}) &
__reeve_child=$!
# What came before it was there.
[ -z "$__reeve_heard" ] || __reeve_end_child
while :; do
  __reeve_heard=
  wait "$__reeve_child"
  __reeve_status=$?
  [ -n "$__reeve_heard" ] || break
done
trap '' ${signalNumber('TERM')}
[ $__reeve_status != 125 ] || env --default-signal=INT true 2>/dev/null ||
  printf '%s\\n' 'the env of this host has no --default-signal: install coreutils 8.31 or later' >reeve/problem
# The supervisor may be gone, and another one have taken its place.
__reeve_start_of $$
set -- $__reeve_stat
[ "$2" = "$__reeve_supervisor" ] || exit 0
# ${input.supervisor} says that it wants it down only after it has told it to end.
__reeve_looks=\${__reeve_told:+10}
while [ \${__reeve_looks:-0} -gt 0 ] && ! __reeve_wants_down; do
  __reeve_looks=$((__reeve_looks - 1))
  sleep ${nap}
done
if [ $__reeve_status -gt 128 ]; then set -- -1 $((__reeve_status - 128)); else set -- $__reeve_status 0; fi
${renderEnding(input)}if [ $__reeve_why = alone ]; then
  # The next run has to wait for its time.
  printf '%s %s\\n' "- - $__reeve_began" "$__reeve_boot" >reeve/claim
  [ $__reeve_again = yes ] || ${input.scripts.stayDown}
fi
exit 0
`
}

/** After an end that was not requested, the next run waits for its time. */
function renderDelay({ restart }: Process): string {
  const delay = Math.ceil(restart.delay / 10)
  return `if [ -n "$__reeve_pid" ]; then
  __reeve_clock
  __reeve_left=$((\${__reeve_began:-0} + ${delay} - __reeve_now))
  if [ $__reeve_left -gt 0 ] && [ $__reeve_left -le ${delay} ]; then
    sleep "$((__reeve_left / 100)).$((__reeve_left % 100 / 10))$((__reeve_left % 10))"
  fi
fi
`
}
