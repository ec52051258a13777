import { hash } from 'node:crypto'
import type { WriteHost } from '../core/contracts/host.ts'
import type { GitUrl } from '../core/model/git-url.ts'
import { SourceError } from './source-error.ts'

/** Key by which an SSH server proves its identity. */
export interface HostKey {
  /** `ssh-ed25519`. */
  readonly type: string
  /** `SHA256:…`, as ssh writes it and owners of servers publish it. */
  readonly fingerprint: string
  /** Line of a known_hosts file, without its end. */
  readonly line: string
}

/** Types of keys, the preferred first. */
const types = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa']

/** Time in seconds that the server may take for each type. */
const patience = 10

/** Name under which ssh looks for the server in known_hosts: `example.org`, `[example.org]:2222`. */
export function knownHostName({ host = '', port = 22 }: GitUrl): string {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** Fingerprints of the server's keys in a known_hosts file, where they stand under its name or hashed. */
export async function findKnownKeys(file: string, url: GitUrl, host: WriteHost): Promise<readonly string[]> {
  if (host.facts(file) === undefined) return []
  const { stdout } = await host.run(['ssh-keygen', '-l', '-F', knownHostName(url), '-f', file])
  return stdout.match(/SHA256:[A-Za-z0-9+/]+/g) ?? []
}

/** Keys that the server at this address shows, the preferred first. Nothing proves that it is the right one. Throws SourceError. */
export async function scanHostKeys(url: GitUrl, host: WriteHost, signal: AbortSignal): Promise<readonly HostKey[]> {
  const { host: name = '', port = 22 } = url
  const address = name.replace(/^\[(.*)\]$/, '$1')
  const options = ['-T', String(patience), '-t', 'ed25519,ecdsa,rsa', '-p', String(port)]
  const { stdout, stderr } = await host.run(['ssh-keyscan', ...options, address], { signal })
  const keys = parseHostKeys(stdout, knownHostName(url))
  if (keys.length > 0) return keys
  const told = stderr.split('\n').findLast(line => line.trim() !== '' && !line.startsWith('#'))
  const cause = told === undefined ? '' : `: ${told.trim()}`
  throw new SourceError('Unreachable', `no SSH server answers at ${address}, port ${port}${cause}`)
}

/** Reads the output of ssh-keyscan. `name`: the one under which the keys are to be known. */
export function parseHostKeys(text: string, name: string): HostKey[] {
  return text
    .split('\n')
    .flatMap(line => {
      const [, type = '', key = ''] = /^[^\s#]\S* (\S+) ([A-Za-z0-9+/]+=*)\s*$/.exec(line) ?? []
      if (!types.includes(type)) return []
      const digest = hash('sha256', Buffer.from(key, 'base64'), 'base64').replace(/=+$/, '')
      return [{ type, fingerprint: `SHA256:${digest}`, line: `${name} ${type} ${key}` }]
    })
    .sort((left, right) => types.indexOf(left.type) - types.indexOf(right.type))
}
