import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { closeSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { WriteHost } from '../core/contracts/host.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { tryTo } from '../core/try-to.ts'
import { createTemporaryName } from './atomic-write.ts'
import { type Clock, createClock } from './clock.ts'
import type { Perform } from './effects.ts'
import { createFailure, explainComplaint, isAbsence } from './failure.ts'
import { afterLastOutput } from './last-output.ts'
import { walkTo } from './path-walk.ts'

/** The part of `WriteHost` that changes files with the rights of a service's user (S8); see there. */
export type UserFileWriting = Pick<WriteHost, 'writeFileAs' | 'removeFileAs'>

/** Time limit in ms, as the user may have mounted a file system that hangs. */
const timeout = 30_000

/** Time in ms to wait for output after a script's end. */
const complaintGrace = 200

/** Most output of a script in bytes. */
const outputLimit = 4_096

/**
 * Enters the directory as the user, and goes on only if it is the very directory that was meant: a symlink put in its place
 * could lead to another one of the same user's. From then on the working directory holds it.
 */
const enter = `
cd -P -- "$1" || exit 3
[ "$(pwd -P)" = "$1" ] || { echo "$1 was replaced meanwhile" >&2; exit 4; }
`

/**
 * What a crash cut off, in a process that is no more, or in an earlier one of the same pid ($2): those of this one may be in use, for
 * other files in the directory, and begin their random part with $7.
 */
const tidy = `
for leftover in ./.reeve-*-*-????????????.tmp; do
  writer=\${leftover%-????????????.tmp}
  writer=\${writer##*-}
  case $writer in '' | *[!0-9]*) continue ;; esac
  case $leftover in *"-$2-$7"??????.tmp) continue ;; esac
  if [ "$writer" = "$2" ] || ! [ -d "/proc/$writer" ]; then rm -f -- "$leftover"; fi
done
`

/** $3 the temporary name, $4 its size: of a content cut short nothing is kept. $5 the mode, $6 the group or nothing. */
const fill = `
fail() { rm -f -- "./$1"; exit 1; }
umask 077
set -C
cat > "./$3" || fail "$3"
[ "$(wc -c < "./$3")" -eq "$4" ] || fail "$3"
[ -z "$6" ] || chgrp -- "$6" "./$3" || fail "$3"
chmod -- "$5" "./$3" || fail "$3"
sync "./$3" 2>/dev/null || sync || fail "$3"
`

/** $2 the temporary name, $3 the name. `-T`: a directory, or a link to one, isn't entered. */
const replace = `
mv -fT -- "./$2" "./$3" || { rm -f -- "./$2"; exit 1; }
sync . 2>/dev/null || sync
`

/** $3 the name. What isn't there is removed: of that, a file system which is read-only says that it is read-only. */
const remove = '[ -e "./$3" ] || [ -L "./$3" ] || exit 0; rm -f -- "./$3"'

/**
 * Works as the service's user where that user could lead root elsewhere (S8): in a process that has given up all rights but
 * theirs before it looks at the path. A file is replaced in one step, as by `writeFileAtomically` (S7).
 */
export function createUserFileWriting(perform: Perform, clock: Clock = createClock()): UserFileWriting {
  return {
    async writeFileAs(user, path, content, { mode, gid }) {
      const task = `write ${path} as user ${user.name}`
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      const directory = findDirectory(path, task)
      const name = basename(path)
      const temporary = createTemporaryName(name, processToken())
      const facts = [String(bytes.length), mode.toString(8).padStart(4, '0'), gid === undefined ? '' : String(gid)]
      await perform('write-temporary', join(directory, temporary), () =>
        runAs(
          user,
          enter + tidy + fill,
          [directory, String(process.pid), temporary, ...facts, processToken()],
          task,
          clock,
          bytes,
        ),
      )
      await perform('rename', path, () => runAs(user, enter + replace, [directory, temporary, name], task, clock))
    },
    async removeFileAs(user, path) {
      const task = `remove ${path} as user ${user.name}`
      let directory: string
      try {
        directory = findDirectory(path, task)
      } catch (error) {
        if (isAbsence(error)) return
        throw error
      }
      await perform('remove-file', path, () =>
        runAs(
          user,
          enter + tidy + remove,
          [directory, String(process.pid), basename(path), '', '', '', processToken()],
          task,
          clock,
        ),
      )
    },
  }
}

/** Six hexadecimal digits, the same as long as this process lives: an earlier one of its pid had others. */
function processToken(): string {
  return hash('sha256', String(performance.timeOrigin)).slice(0, 6)
}

/** Without symlinks, but for those that only root can have put there. */
function findDirectory(path: string, task: string): string {
  try {
    const { fd, path: directory } = walkTo(dirname(path))
    closeSync(fd)
    return directory
  } catch (error) {
    throw createFailure(task, error)
  }
}

/** Resolves when the script has ended well. Throws ReeveError with what it complained of. */
function runAs(
  user: UserIdentity,
  script: string,
  args: readonly string[],
  task: string,
  clock: Clock,
  input?: Uint8Array,
): Promise<void> {
  const [program, words, rights] = asUser(user)
  const child = spawn(program, [...words, '-c', script, 'sh', ...args], {
    cwd: '/',
    // The caller's environment isn't passed on.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'pipe'],
    // In root's session the user, who may trace it, could open root's terminal by it.
    detached: true,
    ...rights,
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, outputLimit)
  })
  // A script that ends early doesn't read it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    let isOver = false
    const end = (error?: unknown): void => {
      isOver = true
      deadline[Symbol.dispose]()
      child.stdin.destroy()
      child.stderr.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const fail = (signal: string | null): void => {
      if (!isOver) end(new ReeveError('failed', `cannot ${task}: ${explain(complaint, signal, user, args[0])}`))
    }
    const deadline = clock.after(timeout, () => {
      killGroup(child.pid)
      // Not when it has ended, which something mounted can keep it from.
      fail('SIGKILL')
    })
    child.once('error', error => end(createFailure(task, error)))
    // Not `close`, which comes when nobody has its stderr open any more: its user can take hold of that.
    child.once('exit', (code, signal) => {
      // Its group's number may be reused by then.
      deadline[Symbol.dispose]()
      if (code === 0) end()
      else afterLastOutput(clock, complaintGrace, () => fail(signal))
    })
    child.once('close', (code, signal) => {
      if (code !== 0) fail(signal)
    })
  })
}

/** The leader lives or is an unreaped zombie, so the group's number can't be reused yet. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

function explain(complaint: string, signal: string | null, { name }: UserIdentity, path = '/'): string {
  if (signal !== null) return `it took longer than ${timeout / 1_000} s, or was ended; see what is mounted there`
  const [line = ''] = complaint.trim().split('\n')
  const said = line.replace(/^sh: (\d+: )?(line \d+: )?/, '')
  const explained = explainComplaint(said, { path, user: name })
  if (explained !== said) return explained
  const remedy = /not permitted/i.test(said)
    ? 'see with lsattr -d whether it or its directory is immutable or append-only (chattr -i -a takes that away)'
    : `see that user ${name} may write there, and has the space`
  return `${said || 'the content could not be written whole'}; ${remedy}`
}

/**
 * With setpriv the process has all of the user's groups, else only the one given. BusyBox has a setpriv that knows nothing of
 * users.
 */
function asUser(user: UserIdentity): [program: string, words: string[], rights: { uid?: number; gid?: number }] {
  if (process.geteuid?.() !== 0) return ['/bin/sh', [], {}]
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(path => isUtilLinux(path))
  const { uid, gid } = user
  if (setpriv === undefined) return ['/bin/sh', [], { uid, gid }]
  const words = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--inh-caps=-all', '--', '/bin/sh']
  return [setpriv, words, {}]
}

function isUtilLinux(path: string): boolean {
  return tryTo(() => basename(realpathSync(path)) === 'setpriv') ?? false
}
