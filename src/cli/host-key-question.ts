import type { GitUrl } from '../core/model/git-url.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { HostKey, SshFiles } from '../engine/bootstrap/access-files.ts'
import type { PatienceOptions } from '../engine/bootstrap/patience.ts'
import type { Session } from '../engine/session/session.ts'
import { confirm } from './confirmation.ts'
import type { CommandContext } from './context.ts'
import type { Progress } from './progress.ts'

export interface HostKeyQuestion {
  readonly session: Session
  readonly ssh: SshFiles
  readonly url: GitUrl
  /** `--accept-host-key`. Absent: a person is asked. */
  readonly accepted: string | undefined
  /** The file of known hosts was named on the command line, and isn't written. */
  readonly isNamed: boolean
  readonly progress: Progress
  readonly patience: PatienceOptions
}

/**
 * Sees to a recorded key of the server. False: nobody trusts the one that it shows. Throws ReeveError: `refused` if another one is
 * accepted, `not-found` if a named file has none, `usage` without a terminal to ask at.
 */
export async function agreeOnHostKey(context: CommandContext, question: HostKeyQuestion): Promise<boolean> {
  const { session, ssh, url, accepted, progress, patience } = question
  const { findTrustedKeys, awaitHostKeys, recordHostKey } = await import('../engine/bootstrap/access-files.ts')
  const server = `${url.host}${url.port === undefined ? '' : `, port ${url.port}`}`
  const trusted = await findTrustedKeys(session, ssh)
  if (trusted.length > 0) {
    if (accepted === undefined || trusted.includes(accepted)) return true
    throw new ReeveError(
      'refused',
      `${ssh.knownHosts} has another host key of ${server} than ${accepted}: ${trusted.join(', ')}. If the server's key was replaced, remove the old one with ssh-keygen -R`,
    )
  }
  if (question.isNamed) {
    throw new ReeveError(
      'not-found',
      `${ssh.knownHosts} has no host key of ${server}; add it, or leave --known-hosts away to be asked`,
    )
  }
  const keys = await awaitHostKeys(session, patience).finally(progress.end)
  const key = await chooseHostKey(context, server, keys, { accepted, signal: patience.signal })
  if (!key) return false
  recordHostKey(session, ssh, key)
  context.out.write(`Recorded the host key of ${server} in ${ssh.knownHosts}: ${key.type} ${key.fingerprint}\n`)
  return true
}

/** The key with the accepted fingerprint, else the first, if a person says so. Undefined: nobody does. */
async function chooseHostKey(
  context: CommandContext,
  server: string,
  keys: readonly HostKey[],
  { accepted, signal }: { readonly accepted: string | undefined; readonly signal: AbortSignal },
): Promise<HostKey | undefined> {
  const shown = keys.map(({ type, fingerprint }) => `${type} ${fingerprint}`)
  if (accepted !== undefined) {
    const found = keys.find(({ fingerprint }) => fingerprint === accepted)
    if (found) return found
    throw new ReeveError(
      'refused',
      `no host key of ${server} has the fingerprint ${accepted}: found ${shown.join(', ')}. Either the fingerprint is wrong, or another server answers in its place`,
    )
  }
  const [key] = keys
  if (!key) return undefined
  context.err.write(`Host key of ${server}: ${shown[0]}\n`)
  const isTrusted = await confirm(
    'Compare it with the fingerprint that the owner of the server publishes. Trust it?',
    `compare it with the fingerprint that the owner of the server publishes, and run this again with --accept-host-key ${key.fingerprint}`,
    context,
    signal,
  )
  return isTrusted ? key : undefined
}
