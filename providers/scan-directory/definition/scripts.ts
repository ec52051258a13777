import { join } from 'node:path'
import type { Process } from '../../../src/core/model/facility.ts'
import { describeBackground, markVariable } from '../../posix/background.ts'
import { protectedPathFunctions } from '../../posix/protected-path.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'
import type { FamilyScripts } from '../family.ts'
import { hasLogger } from './log-script.ts'
import { renderExecution, renderPreparation, standardPath } from './prepare-script.ts'
import { absence } from './records.ts'
import { closeDescriptors, hasClosed, shellFunctions, signalNumber } from './shell-functions.ts'
import { renderSuperviseFunctions } from './supervise-script.ts'

/**
 * The scripts of a definition. What they write down, in `reeve/` of the definition, for `records.ts` to read:
 *
 *   claim      PID START CLOCK BOOT of the process that becomes the service, first of all: an orphan is known by it. With `-` for
 *              PID and START: of the last one, which the next has to wait for
 *   loaded     what sha256sum says of the definition's files and of the facility's, or that one of these is absent, before any
 *              of them is read
 *   launched   PID START, last of all: then the service itself is executed
 *   ended      CODE SIGNAL asked|alone FAILURES BOOT TOTAL of the last end; TOTAL counts failures and the ends of good runs
 *   problem    why the script could not come as far as the service, or that the service put itself in the background
 *   log-problem  why its output can't be written, by the script of the logger; see log-script.ts
 *
 * They are private: digests of a short secret tell the secret (S9).
 *
 * START is field 22 of the process's stat, CLOCK hundredths of a second since boot, BOOT its id and the START of pid 1.
 * Signals are given by number and without `--`, which the kill of busybox takes for a process.
 */
export interface ScriptInput {
  readonly facility: string
  /** The name of the program that runs the scripts. */
  readonly supervisor: string
  readonly process: Process
  readonly scripts: FamilyScripts
  /** There is native text to run in place of the command; see definition.ts. */
  readonly isNative: boolean
  /** There is a `spec.process`, which says in what surroundings it is run. */
  readonly isPrepared: boolean
  /** The files of the definition that a process depends on, by their paths in it. */
  readonly parts: readonly string[]
  /** The definition's own `reeve` directory. */
  readonly records: string
  /** The descriptor on which the service says that it is ready, which the scripts leave alone. */
  readonly notificationFd?: number
}

const preparedWord = 'reeve-prepares'

/** The command line of a run script that prepares the service, till it executes it. */
export const scriptWords: readonly string[] = ['/bin/sh', './run', preparedWord]

export const header = (facility: string): string =>
  `#!/bin/sh\n# Made by Reeve for facility ${facility}: what is changed here is changed back.\n`

/** How often, in seconds, the scripts look whether a process has ended that isn't their child. */
const nap = '0.05'

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
${scripts.hasFinish ? '' : '    __reeve_start_of "$2" && set -- $__reeve_stat\n'}    __reeve_is_supervisor "$2" ${supervisor} && kill -15 "$2"
    ./reeve/stop
    while __reeve_is_orphan; do sleep ${nap}; done
  fi
  # What is left of its process group, where nobody was left to tidy up. A process of that number now is another's.
  [ "$__reeve_pid" = - ] || __reeve_start_of "$__reeve_pid" || kill -9 "-$__reeve_pid" 2>/dev/null
fi
${scripts.hasFinish ? renderService(input) : renderKeeper(input)}`
}

/** Without a logger, what is written goes nowhere from the start. */
function renderOutput({ output }: Process): string {
  if (!output) return ''
  return hasLogger(output) ? 'exec 2>&1\n' : 'exec >/dev/null 2>&1\n'
}

/** A shell has its background children ignore INT and QUIT, which only a program can take back: that of coreutils 8.31. */
const withSignals: readonly string[] = ['env', '--default-signal=INT,QUIT', '--']

/**
 * A line of sha256sum for a configuration file, or `absent` in the place of the digest if there is no regular one. Where others can
 * lead root elsewhere, the file is read with the rights of its owner; and one of root's, as in /tmp, only if nothing is followed to
 * it (S8).
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

/** The part of a run script that becomes the service. */
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
 * For supervisors that run nothing at the end of a service: the run script stays, with the service as its child, gives on
 * what signals it gets, and does at the end what the finish script does elsewhere.
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

/** After an end that nobody asked for, the next run waits for its time. */
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

/** Signals the process group of the claim; what is left of it after the timeout gets KILL. */
export function renderStop({ facility, process }: ScriptInput): string {
  const { signal, timeout } = process.stop
  return `${header(facility)}__reeve_records=reeve
${shellFunctions}__reeve_find_boot
read -r __reeve_pid __reeve_then __reeve_rest __reeve_in <reeve/claim || exit 1
[ "$__reeve_in" = "$__reeve_boot" ] || exit 1
__reeve_start_of "$__reeve_pid" && [ "$__reeve_start" = "$__reeve_then" ] || exit 1
kill -${signalNumber(signal)} "-$__reeve_pid" 2>/dev/null || kill -${signalNumber(signal)} "$__reeve_pid" || exit 1
kill -${signalNumber('CONT')} "-$__reeve_pid" 2>/dev/null
{
  __reeve_clock
  __reeve_end=$((__reeve_now + ${Math.ceil(timeout / 10)}))
  while __reeve_group_lives "$__reeve_pid"; do
    __reeve_clock
    if [ $__reeve_now -ge $__reeve_end ]; then
      kill -9 "-$__reeve_pid"
      break
    fi
    sleep ${nap}
  done
} </dev/null >/dev/null 2>&1 &
exit 0
`
}

/** Tidies up behind a run, writes down how it ended, and sees to what the restart policy says. */
export function renderFinish(input: ScriptInput, hasNative: boolean): string {
  const { facility, process, scripts } = input
  const { delay } = process.restart
  return `${header(facility)}__reeve_records=reeve __reeve_umask=$(umask)
umask 077
${shellFunctions}${renderSuperviseFunctions(scripts)}# Where there is a signal there is no code, which some say by 256.
[ "$1" != 256 ] || set -- -1 "$2"
${renderEnding(input)}${hasNative ? '(umask "$__reeve_umask" && exec ./reeve/native-finish "$@")\n' : ''}if [ $__reeve_again = no ]; then
  [ $__reeve_why = asked ] || ${scripts.stayDown}
  exit 0
fi
__reeve_clock
__reeve_left=$((__reeve_began + ${Math.ceil(delay / 10)} - __reeve_now))
[ $__reeve_left -le 0 ] || exec sleep "$((__reeve_left / 100)).$((__reeve_left % 100 / 10))$((__reeve_left % 10))"
`
}

/**
 * Writes down how a run ended, by its exit code (or -1) and signal in "$1" and "$2", ends what is left of its process group,
 * and leaves in `__reeve_again` whether it is to be started again, in `__reeve_why` whether its end was asked for.
 */
function renderEnding({ process, scripts, isNative }: ScriptInput): string {
  const { signal, timeout } = process.stop
  const onEnd = {
    always: '__reeve_again=yes',
    'on-failure': '[ "$1" = 0 ] && __reeve_again=no || __reeve_again=yes',
    never: '__reeve_again=no',
  }[process.restart.policy]
  const signalGroup = `\n  [ $__reeve_why = alone ] || kill -${signalNumber(signal)} "-$__reeve_pid" 2>/dev/null`
  return `__reeve_clock
__reeve_find_boot
__reeve_pid= __reeve_in= __reeve_failures=0 __reeve_total=
{ read -r __reeve_pid __reeve_then __reeve_began __reeve_in <reeve/claim; } 2>/dev/null
[ "$__reeve_in" = "$__reeve_boot" ] || __reeve_pid= __reeve_began=$__reeve_now
{ read -r __reeve_rest __reeve_rest __reeve_rest __reeve_failures __reeve_rest __reeve_total <reeve/ended; } 2>/dev/null
if __reeve_wants_down; then
  __reeve_why=asked __reeve_again=no __reeve_failures=0 __reeve_total=0
else
  __reeve_why=alone
  ${onEnd}
  [ $((__reeve_now - __reeve_began)) -lt 1000 ] || __reeve_failures=0
  __reeve_failures=$((__reeve_failures + 1)) __reeve_total=$((\${__reeve_total:-0} + 1))
fi
printf '%s %s %s %s %s %s\\n' "$1" "$2" $__reeve_why "$__reeve_failures" "$__reeve_boot" "$__reeve_total" >reeve/ended
# What is left of its process group: has the rest of the timeout if its end was asked for, else ends at once.
__reeve_end=$__reeve_now
[ $__reeve_why = alone ] || __reeve_end=$((__reeve_now + ${Math.ceil(timeout / 10)}))
# While members live, no other group can get its number.
if [ -n "$__reeve_pid" ] && ! __reeve_start_of "$__reeve_pid"; then${scripts.signalsGroup ? '' : signalGroup}
  while __reeve_group_lives "$__reeve_pid"; do
    __reeve_clock
    [ $__reeve_now -lt $__reeve_end ] || kill -9 "-$__reeve_pid" 2>/dev/null
    sleep ${nap}
  done
  : >reeve/claim
fi
# A program that puts itself in the background has left its group, and would be there once more with every start.
if [ "$1" = 0 ] && [ -n "$__reeve_pid" ] && [ $((__reeve_now - __reeve_began)) -lt 1000 ] &&
  __reeve_end_strays "$__reeve_pid.$__reeve_then:" && [ $__reeve_why = alone ]; then
  printf '%s\\n' ${quoteWord(describeBackground(isNative ? [] : process.command))} >reeve/problem
  ${process.restart.policy === 'never' ? ':' : '__reeve_again=yes'}
fi
`
}

/** Runs the reload command as the service itself is run; MAINPID is the pid of the service. */
export function renderReload({ facility, process, scripts, records }: ScriptInput, command: readonly string[]): string {
  return `${header(facility)}[ "$2" = clean ] || exec env -i ${quoteWord(`PATH=${standardPath}`)} MAINPID="$1" /bin/sh ./reeve/reload "$1" clean
__reeve_records=${quoteWord(records)}
__reeve_fail() {
  printf '%s\\n' "$1" >&2
  exit 111
}
${renderPreparation(process, scripts)}
${renderExecution(process, command, [])}
`
}

/**
 * For supervisors that send no other signal than HUP for a reload. To the process of the claim, and not to any that is named: what
 * the supervisor has written down can be others'.
 */
export function renderReloadSignal(facility: string, signal: string): string {
  return `${header(facility)}__reeve_records=reeve
${shellFunctions}__reeve_find_boot
read -r __reeve_pid __reeve_then __reeve_rest __reeve_in <reeve/claim && [ "$__reeve_in" = "$__reeve_boot" ] || exit 1
__reeve_start_of "$__reeve_pid" && [ "$__reeve_start" = "$__reeve_then" ] && kill -${signalNumber(signal)} "$__reeve_pid"
`
}
