import { basename, dirname, join } from 'node:path'
import type { QueryResult, WriteHost } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'

/** Key of this host for one repository. */
export interface DeployKey {
  /** Line that the repository's server has to be given. */
  readonly publicKey: string
  readonly isNew: boolean
}

/**
 * Makes an Ed25519 key without a passphrase at this path, and its public part beside it, unless there is a key. The directory must be
 * one that only the user of Reeve can write. Throws ReeveError `invalid` for a file that is no such key.
 */
export async function ensureDeployKey(path: string, comment: string, host: WriteHost): Promise<DeployKey> {
  const isNew = host.facts(path) === undefined
  if (isNew) await makeKey(path, comment, host)
  else removeFresh(path, host)
  const result = await host.run(['ssh-keygen', '-y', '-P', '', '-f', path])
  if (result.exitCode !== 0) {
    throw new ReeveError(
      'invalid',
      `expected an SSH private key without a passphrase, of mode 0600, in ${path}: ${causeOf(result)}; move the file away to have a new one made`,
    )
  }
  const publicKey = result.stdout.trim()
  const file = `${path}.pub`
  if (host.readText(file)?.trim() !== publicKey) host.writeFile(file, `${publicKey}\n`, { mode: 0o644 })
  return { publicKey, isNew }
}

/** ssh-keygen writes to a file beside it, so that a crash leaves no half of a key at the path. */
async function makeKey(path: string, comment: string, host: WriteHost): Promise<void> {
  removeFresh(path, host)
  const fresh = freshPath(path)
  const result = await host.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', fresh])
  const content = result.exitCode === 0 ? host.readFile(fresh) : undefined
  if (content === undefined) throw new ReeveError('failed', `cannot make the key ${path}: ${causeOf(result)}`)
  host.writeFile(path, content, { mode: 0o600 })
  removeFresh(path, host)
}

function removeFresh(path: string, host: WriteHost): void {
  const fresh = freshPath(path)
  host.removeFile(fresh)
  host.removeFile(`${fresh}.pub`)
}

function freshPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.next`)
}

/** The last line that ssh-keygen wrote. */
function causeOf({ stderr, exitCode }: QueryResult): string {
  return stderr.trim().split('\n').at(-1) || `ssh-keygen ended with exit code ${exitCode}`
}
