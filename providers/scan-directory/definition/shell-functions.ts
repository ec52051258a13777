import { findSignalNumber } from '../../../src/host/signals.ts'
import { markVariable } from '../../posix/background.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'

/**
 * Shell text that several of the scripts need. All names start with `__reeve`, so that they collide with no variable of a
 * service. `__reeve_start_of PID` sets `__reeve_start` to the start time of the process, field 22 of its stat, and fails if
 * there is none. `__reeve_is_supervisor PID NAME` fails unless that is a program of this name, started by the user of the
 * script: everybody can name a process so, and have it run with root's rights (a set-user-id program). `__reeve_find_boot`
 * sets `__reeve_boot` to an id of the boot. `__reeve_group_lives GROUP` fails if the process group has no living member.
 * `__reeve_clock` sets `__reeve_now` to the hundredths of a second since boot. `__reeve_end_strays MARK` kills the processes
 * of a run wherever they are, and fails if there is none.
 */
export const shellFunctions: string = `__reeve_read_stat() {
  __reeve_stat=
  {
    # The last line: a process may call itself anything, with line ends too.
    while read -r __reeve_line || [ -n "$__reeve_line" ]; do __reeve_stat=$__reeve_line; done <"$1"
  } 2>/dev/null || return 1
  __reeve_stat=\${__reeve_stat##*) }
}
__reeve_start_of() {
  __reeve_start=
  __reeve_read_stat "/proc/$1/stat" || return 1
  set -- $__reeve_stat
  [ "$1" != Z ] && [ "$1" != X ] || return 1
  __reeve_start=\${20}
  [ -n "$__reeve_start" ]
}
__reeve_is_supervisor() {
  __reeve_comm= __reeve_owner=
  read -r __reeve_comm <"/proc/$1/comm" && [ "$__reeve_comm" = "$2" ] || return 1
  while read -r __reeve_line __reeve_owner __reeve_rest; do [ "$__reeve_line" != Uid: ] || break; done <"/proc/$1/status"
  [ -n "$__reeve_owner" ] && [ "$__reeve_owner" = "$(id -u)" ]
} 2>/dev/null
__reeve_find_boot() {
  __reeve_start_of 1
  read -r __reeve_boot </proc/sys/kernel/random/boot_id
  __reeve_boot=$__reeve_boot:$__reeve_start
}
__reeve_clock() {
  read -r __reeve_up __reeve_rest </proc/uptime
  __reeve_now=$((\${__reeve_up%.*} * 100 + 1\${__reeve_up#*.} - 100))
}
__reeve_group_lives() {
  kill -0 "-$1" 2>/dev/null || return 1
  # Mostly it is the first process that lives.
  if __reeve_read_stat "/proc/$1/stat"; then
    case $__reeve_stat in [!ZX]*) return 0 ;; esac
  fi
  # A zombie that nobody reaps would count for ever. Not by the shell, which reads byte by byte.
  cat /proc/[0-9]*/stat 2>/dev/null | grep -q ") [^ZX] [0-9]* $1 "
}
__reeve_end_strays() {
  __reeve_strays=
  while __reeve_found=$(grep -lF -- "${markVariable}=$1" /proc/[0-9]*/environ 2>/dev/null); [ -n "$__reeve_found" ]; do
    for __reeve_stray in $__reeve_found; do
      __reeve_stray=\${__reeve_stray#/proc/}
      kill -9 "\${__reeve_stray%/environ}" 2>/dev/null && __reeve_strays=yes
    done
    sleep 0.05
  done
  [ -n "$__reeve_strays" ]
}
__reeve_fail() {
  printf '%s\\n' "$1" >&2
  printf '%s\\n' "$1" >"$__reeve_records/problem"
  exit 111
}
`

/** Signal number for kill, whose signal names differ between shells. */
export function signalNumber(signal: string): number {
  return findSignalNumber(signal) ?? 15
}

export interface Closing {
  /** Descriptor that stays open. */
  readonly kept?: number | undefined
  /** Command line of the script itself, which is executed again without the others. */
  readonly script: readonly string[]
  /** File for the reason why they can't be closed. */
  readonly problem: string
}

/**
 * Shell text that closes descriptors inherited from whoever started the scanner: a file that only root can read would reach
 * the service (S8). Descriptors of the shell itself are closed by the kernel (O_CLOEXEC, the 2 in the seventh octal digit).
 * dash supports only one-digit descriptors: another shell closes the others, and executes the script again.
 */
export function closeDescriptors({ kept, script, problem }: Closing): string {
  const closed = [3, 4, 5, 6, 7, 8, 9].filter(fd => fd !== kept).map(fd => `${fd}>&-`)
  const others = kept !== undefined && kept > 9 ? `${kept} | ` : ''
  return `exec ${closed.join(' ')}
__reeve_open=
for __reeve_fd in /proc/$$/fdinfo/[1-9][0-9]*; do
  __reeve_flags=
  { while read -r __reeve_line __reeve_flags; do [ "$__reeve_line" != flags: ] || break; done <"$__reeve_fd"; } 2>/dev/null
  case $__reeve_flags in '' | *[2367]??????) continue ;; esac
  case \${__reeve_fd##*/} in ${others}'') ;; *) __reeve_open="$__reeve_open \${__reeve_fd##*/}" ;; esac
done
if [ -n "$__reeve_open" ]; then
  for __reeve_shell in 'bash --norc' 'busybox sh'; do
    [ -z "$__reeve_closed" ] && command -v "\${__reeve_shell%% *}" >/dev/null || continue
    exec $__reeve_shell -c 'for fd in $1; do eval "exec $fd>&-"; done; shift; exec "$@"' sh "$__reeve_open" ${quoteWords(script)}
  done
  umask 077
  printf '%s\n' "its scanner has files open that are not meant for it (descriptors$__reeve_open), and there is neither bash nor busybox here, which could close them: install one, or start the scanner without them" >${quoteWord(problem)}
  exit 111
fi
unset __reeve_closed __reeve_open __reeve_fd __reeve_flags __reeve_shell
`
}

/** Tells a script that is executed again that this was done. */
export const hasClosed = '__reeve_closed=yes'
