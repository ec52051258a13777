import type { SourceStatus } from '../../core/contracts/source-status.ts'
import type { GitSourceConfiguration } from '../../core/model/source-configuration.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import { openControl } from '../control/control-access.ts'
import { whenControllerAnswers } from '../controller/controller-readiness.ts'
import { openRollout } from '../rollout/rollout.ts'
import type { Session } from '../session/session.ts'
import { openSource } from '../session/source-opening.ts'
import { findController, takeWriterLock } from '../session/writer-lock.ts'
import { type Hindrance, keepTrying, type PatienceOptions } from './patience.ts'

/** Repository of the host configuration, for this process alone until it is disposed of. */
interface OpenedRepository extends Disposable {
  /** Fetches the wanted revision. How it went is in the status. */
  sync(signal: AbortSignal): Promise<SourceStatus>
}

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
    return { sync: signal => syncDirectly(session, signal), [Symbol.dispose]: () => lock.release() }
  }
  await whenControllerAnswers(session, signal)
  const control = await openControl(session)
  const follow = async (): Promise<SourceStatus> => {
    const { source } = await control.status()
    if (source?.url === sourceOf(session).url.text) return source
    throw new ReeveError(
      'refused',
      `a controller (process ${controller}) runs here, and follows ${source?.url ?? 'a directory of manifests'}: end it first, with reeve uninstall if it is installed; the services go on`,
    )
  }
  await follow()
  return {
    async sync(signal) {
      const status = await follow()
      // Asked for nothing new, it keeps to the revision that a person may have chosen.
      return status.condition.reason === 'UpToDate' ? status : abortable(control.sync(), signal)
    },
    [Symbol.dispose]() {},
  }
}

/** As `reeve sync` does without a controller: what has failed here before doesn't come into force. */
async function syncDirectly(session: Session, signal: AbortSignal): Promise<SourceStatus> {
  const rollout = openRollout(session, {
    open: admission => openSource(session, admission),
    isController: false,
    changed() {},
    again() {},
    signal,
  })
  await rollout.source.sync(signal)
  return rollout.status()
}

/** What may be over soon: a server that can't be reached, and, over SSH, a key that the server doesn't know yet. */
const passing: ReadonlySet<string> = new Set(['Unreachable', 'TimedOut'])
const passingOverSsh: ReadonlySet<string> = new Set([...passing, 'AuthenticationFailed', 'RepositoryNotFound'])

/** What keeps the wanted revision from being read now, and may be over soon. Undefined: nothing that waiting mends. */
export function findHindrance({ condition }: SourceStatus, { url }: GitSourceConfiguration): Hindrance | undefined {
  const { reason, message } = condition
  const mayPass = url.transport === 'ssh' ? passingOverSsh : passing
  return mayPass.has(reason) ? { reason, message } : undefined
}

/**
 * Waits until the wanted revision could be read. Throws ReeveError: `failed` for what waiting doesn't mend, and what `keepTrying` throws.
 */
export function awaitRevision(
  repository: OpenedRepository,
  source: GitSourceConfiguration,
  options: PatienceOptions,
): Promise<SourceStatus> {
  return keepTrying(async signal => {
    const value = await repository.sync(signal)
    if (value.condition.reason === 'UpToDate') return { value }
    const hindrance = findHindrance(value, source)
    if (hindrance) return { hindrance }
    throw new ReeveError('failed', `${value.condition.message}${adviceFor(value.condition, source)}`)
  }, options)
}

/** What to do about it, beyond what the message says: flags of this command, and that a repository may be empty. */
function adviceFor({ reason, message }: Hindrance, { url, wish, access }: GitSourceConfiguration): string {
  if (reason === 'AuthenticationFailed' && url.transport === 'https' && access.tokenFile === undefined) {
    return '. A private repository needs a token: name a file that holds it with --token-file'
  }
  if (reason !== 'ReferenceNotFound') return ''
  if (message.includes('has no directory')) return ', or name another directory with --path'
  const other = wish.kind === 'default-branch' ? 'name a branch with --branch' : 'name another one with --branch'
  return `. If the repository is empty, push a first commit to it; otherwise ${other}`
}
