import type { SourceStatus } from '../../core/contracts/source-status.ts'
import type { GitSourceConfiguration } from '../../core/model/source-configuration.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import { openControl } from '../control/control-access.ts'
import { whenControllerAnswers } from '../controller/controller-readiness.ts'
import type { Session } from '../session/session.ts'
import { openSource } from '../session/source-opening.ts'
import { findController, takeWriterLock } from '../session/writer-lock.ts'
import { type Hindrance, keepTrying, type PatienceOptions } from './patience.ts'

/** Repository of the host configuration. */
interface Repository {
  /** Fetches the wanted revision, and puts it into force. How it went is in the status. */
  sync(signal: AbortSignal): Promise<SourceStatus>
}

/** The same, for this process alone until it is disposed of. */
interface OpenedRepository extends Repository, Disposable {}

/** The Git repository that the host configuration names. */
export function sourceOf({ configuration: { source } }: Session): GitSourceConfiguration {
  if (source?.type === 'git') return source
  throw new ReeveError('internal', 'expected a host configuration with a Git repository')
}

/**
 * Opens the repository: under the writer's lock, or, while a controller follows it, through that. Throws ReeveError: `refused` while a
 * controller does something else here, `locked` while another process works here.
 */
export async function openRepository(session: Session, signal: AbortSignal): Promise<OpenedRepository> {
  const controller = findController(session)
  if (controller === undefined) {
    const lock = await takeWriterLock(session, 'reeve bootstrap')
    return {
      async sync(signal) {
        const source = openSource(session)
        await source.sync(signal)
        return source.status()
      },
      [Symbol.dispose]: () => lock.release(),
    }
  }
  await whenControllerAnswers(session, signal)
  const control = await openControl(session)
  const { source } = await control.status()
  if (source?.url !== sourceOf(session).url.text) {
    throw new ReeveError(
      'refused',
      `a controller (process ${controller}) runs here, and follows ${source?.url ?? 'a directory of manifests'}: end it first, with reeve uninstall if it is installed; the services go on`,
    )
  }
  return { sync: signal => abortable(control.sync(), signal), [Symbol.dispose]() {} }
}

/** What may be over soon: a server that can't be reached, and, over SSH, a key that the server doesn't know yet. */
const passing: ReadonlySet<string> = new Set(['Unreachable', 'TimedOut'])
const passingOverSsh: ReadonlySet<string> = new Set([...passing, 'AuthenticationFailed', 'RepositoryNotFound'])

/**
 * Waits until the wanted revision could be read. Throws ReeveError: `failed` for what waiting doesn't mend, and what `keepTrying` throws.
 */
export function awaitRevision(
  repository: Repository,
  { url, wish, access }: GitSourceConfiguration,
  options: PatienceOptions,
): Promise<SourceStatus> {
  const mayPass = url.transport === 'ssh' ? passingOverSsh : passing
  return keepTrying(async signal => {
    const value = await repository.sync(signal)
    const { reason, message } = value.condition
    if (reason === 'UpToDate') return { value }
    if (mayPass.has(reason)) return { hindrance: { reason, message } }
    throw new ReeveError('failed', `${message}${adviceFor({ reason, message }, { url, wish, access })}`)
  }, options)
}

/** What to do about it, beyond what the message says: flags of this command, and that a repository may be empty. */
function adviceFor(
  { reason, message }: Hindrance,
  { url, wish, access }: Pick<GitSourceConfiguration, 'url' | 'wish' | 'access'>,
): string {
  if (reason === 'AuthenticationFailed' && url.transport === 'https' && access.tokenFile === undefined) {
    return '. A private repository needs a token: name a file that holds it with --token-file'
  }
  if (reason !== 'ReferenceNotFound') return ''
  if (message.includes('has no directory')) return ', or name another directory with --path'
  const other = wish.kind === 'default-branch' ? 'name a branch with --branch' : 'name another one with --branch'
  return `. If the repository is empty, push a first commit to it; otherwise ${other}`
}
