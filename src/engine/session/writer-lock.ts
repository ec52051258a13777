import { join } from 'node:path'
import { acquireLock, expectFree, findHolder, type Holder, type Lock } from '../../host/lock.ts'
import { expectOwnDirectories, type Session } from './session.ts'

/** Marks the writer as a controller. */
export const controllerPurpose = 'reeve run'

/**
 * Takes the writer's lock of the state directory, until it is disposed of or the process dies (E15). Creates the directory, for
 * its user only, if it is missing. Throws ReeveError `locked`, which names the holder.
 */
export async function takeWriterLock(session: Session, purpose: string): Promise<Lock> {
  const { stateDirectory } = session.configuration
  const host = session.openWriteHost()
  host.makeDirectory(stateDirectory, { mode: 0o700 })
  // Others may have created it, or a directory above it, since the session was opened.
  if (session.manifests.insecurePermissions !== true) expectOwnDirectories(session.configuration, host.userId())
  return acquireLock(directoryOf(session), purpose, host, session.clock)
}

/** Throws ReeveError `locked` if another process is the writer, before a person is asked to confirm. */
export function expectWriterLockFree(session: Session): void {
  expectFree(directoryOf(session), session.readHost)
}

/** Current writer, if there is one. */
export function findWriter(session: Session): Holder | undefined {
  return findHolder(directoryOf(session), session.readHost)
}

/** Process of the controller, if it is the current writer. */
export function findController(session: Session): number | undefined {
  const writer = findWriter(session)
  return writer?.command === controllerPurpose ? writer.pid : undefined
}

function directoryOf(session: Session): string {
  return join(session.configuration.stateDirectory, 'lock')
}
