import { resolve } from 'node:path'
import { readGitUrl } from '../core/model/git-url.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { SourceWish } from '../manifest/source-addition.ts'

/** Flags of `reeve bootstrap` that say what to follow, and how to get at it. */
export interface SourceFlags {
  readonly branch?: string
  readonly path?: string
  readonly tokenFile?: string
  readonly knownHosts?: string
  readonly acceptHostKey?: string
  readonly signers?: string
}

/** Made where SSH needs them, beside the host configuration. */
const sshDefaults = { sshKey: 'deploy-key', knownHosts: 'known-hosts' }

/** Reads the URL and the flags; relative paths are relative to `cwd`. Throws ReeveError `usage`. */
export function readSourceWish(text: string, flags: SourceFlags, cwd: string): SourceWish {
  const reading = readGitUrl(text)
  if ('problem' in reading) throw new ReeveError('usage', `URL: ${reading.problem}`)
  const { transport } = reading.url
  const { branch, tokenFile, knownHosts, acceptHostKey, signers } = flags
  const path = flags.path?.replace(/^(?:\.\/+)+|\/+$/g, '')
  expectOnly('https', transport, { '--token-file': tokenFile })
  expectOnly('ssh', transport, { '--known-hosts': knownHosts, '--accept-host-key': acceptHostKey })
  if (acceptHostKey !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}$/.test(acceptHostKey)) {
    throw new ReeveError(
      'usage',
      `--accept-host-key: expected a fingerprint as ssh shows it, SHA256: and 43 characters, found ${acceptHostKey}`,
    )
  }
  if (acceptHostKey !== undefined && knownHosts !== undefined) {
    throw new ReeveError('usage', '--known-hosts and --accept-host-key both say which host key to trust: give one')
  }
  if (path !== undefined && (path.startsWith('/') || path.split('/').includes('..'))) {
    throw new ReeveError('usage', `--path: expected a directory below the repository's top, found ${flags.path}`)
  }
  return {
    url: text.startsWith('.') ? { ...reading.url, text: resolve(cwd, text) } : reading.url,
    ...(branch !== undefined && { branch }),
    ...(path !== undefined && path !== '' && path !== '.' && { path }),
    access: {
      ...(tokenFile !== undefined && { tokenFile: resolve(cwd, tokenFile) }),
      ...(knownHosts !== undefined && { knownHosts: resolve(cwd, knownHosts) }),
    },
    defaultAccess: transport === 'ssh' ? sshDefaults : {},
    ...(signers !== undefined && { signers: resolve(cwd, signers) }),
  }
}

function expectOnly(wanted: string, transport: string, flags: Readonly<Record<string, string | undefined>>): void {
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined || transport === wanted) continue
    throw new ReeveError('usage', `${flag} is for ${wanted} URLs only; leave it away`)
  }
}
