import { join } from 'node:path'
import { acquireLock, expectFree, findHolder, type Holder, type Lock } from '../../host/lock.ts'
import { expectOwnDirectories, type Session } from './session.ts'

/** By which others know that the writer is a controller. */
export const controllerPurpose = 'reeve run'

/**
 * Makes this process the writer of the state directory, until the lock is disposed of or the process dies (E15). Makes
 * the directory if it is missing, for its user alone. Fails with ReeveError `locked`, which says who holds it.
 */
export async function takeWriterLock(session: Session, purpose: string): Promise<Lock> {
  const { stateDirectory } = session.configuration
  const host = session.openWriteHost()
  host.makeDirectory(stateDirectory, { mode: 0o700 })
  // Somebody else may have made it, or a part of the way there, since the session was opened.
  if (session.manifests.insecurePermissions !== true) expectOwnDirectories(session.configuration, host.userId())
  return acquireLock(directoryOf(session), purpose, host, session.clock)
}

/** Throws ReeveError `locked` if somebody is the writer now: before a person is asked for what would be refused then. */
export function expectWriterLockFree(session: Session): void {
  expectFree(directoryOf(session), session.readHost)
}

/** Who the writer is now, if anybody. */
export function findWriter(session: Session): Holder | undefined {
  return findHolder(directoryOf(session), session.readHost)
}

/** The process of the controller that is the writer now, if one is. */
export function findController(session: Session): number | undefined {
  const writer = findWriter(session)
  return writer?.command === controllerPurpose ? writer.pid : undefined
}

function directoryOf(session: Session): string {
  return join(session.configuration.stateDirectory, 'lock')
}
