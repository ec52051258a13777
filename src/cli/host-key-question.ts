import { ReeveError } from '../core/reeve-error.ts'
import type { HostKey } from '../engine/bootstrap/access-files.ts'
import { confirm } from './confirmation.ts'
import type { CommandContext } from './context.ts'

/**
 * Chooses the key of the server to trust: the one with the accepted fingerprint, else the first, if a person says so. Undefined: nobody
 * does. Throws ReeveError: `refused` if no key has that fingerprint, `usage` without a terminal to ask at.
 */
export async function chooseHostKey(
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
  const { err } = context
  err.write(`Host key of ${server}: ${shown[0]}\n`)
  const isTrusted = await confirm(
    'Compare it with the fingerprint that the owner of the server publishes. Trust it?',
    `compare it with the fingerprint that the owner of the server publishes, and run this again with --accept-host-key ${key.fingerprint}`,
    context,
    signal,
  )
  return isTrusted ? key : undefined
}
