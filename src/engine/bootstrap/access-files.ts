import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { ReeveError } from '../../core/reeve-error.ts'
import { type DeployKey, ensureDeployKey } from '../../source/deploy-key.ts'
import { findKnownKeys, type HostKey, scanHostKeys } from '../../source/host-key.ts'
import { SourceError } from '../../source/source-error.ts'
import type { Session } from '../session/session.ts'
import { keepTrying, type PatienceOptions } from './patience.ts'
import { sourceOf } from './repository.ts'

export type { DeployKey, HostKey }

/** Files by which this host and a server of SSH know each other, as the host configuration names them. */
export interface SshFiles {
  readonly sshKey: string
  readonly knownHosts: string
}

/** Undefined: the repository isn't read over SSH. */
export function sshFilesOf(session: Session): SshFiles | undefined {
  const { url, access } = sourceOf(session)
  const { sshKey, knownHosts } = access
  if (url.transport !== 'ssh') return undefined
  if (sshKey !== undefined && knownHosts !== undefined) return { sshKey, knownHosts }
  throw new ReeveError('internal', 'expected files of SSH in the host configuration')
}

/** Fingerprints of the server's keys that the file has already, so that nobody has to be asked. */
export function findTrustedKeys(session: Session, { knownHosts }: SshFiles): Promise<readonly string[]> {
  return findKnownKeys(knownHosts, sourceOf(session).url, session.openWriteHost())
}

/** Keys that the server shows, once it can be reached. */
export function awaitHostKeys(session: Session, options: PatienceOptions): Promise<readonly HostKey[]> {
  return keepTrying(async signal => {
    try {
      return { value: await scanHostKeys(sourceOf(session).url, session.openWriteHost(), signal) }
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      return { hindrance: error }
    }
  }, options)
}

/** Adds the key to the file. */
export function recordHostKey(session: Session, { knownHosts }: SshFiles, { line }: HostKey): void {
  const host = session.openWriteHost()
  const before = host.readText(knownHosts) ?? ''
  const start = before === '' || before.endsWith('\n') ? before : `${before}\n`
  host.makeDirectory(dirname(knownHosts), { mode: 0o755 })
  host.writeFile(knownHosts, `${start}${line}\n`, { mode: 0o644 })
}

/** Makes the key of this host, unless there is one. */
export function makeDeployKey(session: Session, { sshKey }: SshFiles): Promise<DeployKey> {
  const host = session.openWriteHost()
  host.makeDirectory(dirname(sshKey), { mode: 0o755 })
  return ensureDeployKey(sshKey, `reeve@${hostname()}`, host)
}
