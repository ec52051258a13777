import { describeBackground } from '../../posix/background.ts'
import { quoteWord } from '../../posix/shell-quoting.ts'
import { header, nap, type ScriptInput } from './script-input.ts'
import { shellFunctions, signalNumber } from './shell-functions.ts'
import { renderSuperviseFunctions } from './supervise-script.ts'

/** Signals the process group of the claim; its members left after the timeout get KILL. */
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

/** Cleans up after a run, records how it ended, and applies the restart policy. */
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
 * Records how a run ended, by its exit code (or -1) and signal in "$1" and "$2", ends the rest of its process group, and
 * sets `__reeve_again` to whether it is started again, `__reeve_why` to whether its end was requested.
 */
export function renderEnding({ process, scripts, isNative }: ScriptInput): string {
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
