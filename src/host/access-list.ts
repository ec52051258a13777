import { spawnSync } from 'node:child_process'
import type { UserIdentity } from '../core/model/user-identity.ts'
import { toolEnvironment } from './tool-environment.ts'

/** Time limit in ms, as the path may lead to a file system that hangs. */
const timeout = 5_000

/** Exit code that neither setpriv nor a shell uses. */
const denied = 99

/**
 * Whether a process with the rights of that user may use the path so. It costs two processes, and is for what the mode doesn't
 * tell, which is an access list (acl(5)). True too where nobody can be asked.
 */
export function isGranted(
  { uid, gid }: UserIdentity,
  groups: ReadonlySet<number>,
  path: string,
  rights: readonly ('r' | 'w' | 'x')[],
): boolean {
  if (process.geteuid?.() !== 0) return true
  const script = `${rights.map(right => `test -${right} "$1"`).join(' && ')} || exit ${denied}`
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${[...groups, gid].join(',')}`]
  const found = spawnSync('setpriv', [...ids, '--', '/bin/sh', '-c', script, 'sh', path], {
    timeout,
    stdio: 'ignore',
    cwd: '/',
    env: toolEnvironment(process.env),
  })
  return found.status !== denied
}
