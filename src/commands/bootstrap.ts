import { type BootstrapTarget, readTarget, targetText } from '../cli/bootstrap-target.ts'
import { readSourceWish, type SourceFlags } from '../cli/bootstrap-wish.ts'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { agreeOnHostKey } from '../cli/host-key-question.ts'
import { installController, planInstallation, reportInstallation } from '../cli/installing.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { outcomeProblems, outcomeText } from '../cli/outcome-text.ts'
import { hasChanges, planText } from '../cli/plan-text.ts'
import { type Progress, startProgress } from '../cli/progress.ts'
import { oneLine, remarkText } from '../cli/screen.ts'
import { sourceText } from '../cli/source-text.ts'
import { statusText } from '../cli/status-table.ts'
import { formatDuration } from '../core/text/quantity.ts'
import type { DeployKey, SshFiles } from '../engine/bootstrap/access-files.ts'
import type { Hindrance, PatienceOptions } from '../engine/bootstrap/patience.ts'
import type { Session } from '../engine/session/session.ts'

export interface BootstrapOptions extends SourceFlags {
  readonly supervisor?: string
  /** In ms. */
  readonly timeout: number
  readonly dryRun?: boolean
}

interface Work {
  readonly context: CommandContext
  readonly target: BootstrapTarget
  readonly session: Session
  readonly ssh: SshFiles | undefined
  readonly options: BootstrapOptions
  readonly progress: Progress
  readonly patience: PatienceOptions
}

/**
 * Has this host follow a Git repository: access to it, the host configuration, the controller. Fails unless the first revision is healthy.
 */
export async function bootstrap(context: CommandContext, text: string, options: BootstrapOptions): Promise<ExitCode> {
  const { io, err } = context
  const target = readTarget(context, readSourceWish(text, options, io.cwd))
  const progress = startProgress(err, io.clock)
  using interruption = listenForInterruption(io, () =>
    progress.screen.write('Interrupted, ending what is under way.\n'),
  )
  const log = openLog(context, { level: 'warn', screen: progress.screen })
  const session = await openCommandSession(context, undefined, log, { configurationText: target.text })
  const { sshFilesOf } = await import('../engine/bootstrap/access-files.ts')
  const { timeout } = options
  const { signal } = interruption
  const patience = { clock: io.clock, signal, timeout, onHindrance: tellHindrance(context, progress) }
  const ssh = sshFilesOf(session)
  const work: Work = { context, target, session, ssh, options, progress, patience }
  if (options.dryRun) return showPlan(work)
  const { url, access } = target.wish
  const question = {
    session,
    url,
    progress,
    patience,
    accepted: options.acceptHostKey,
    isNamed: access.knownHosts !== undefined,
  }
  const isTrusted = ssh === undefined || (await agreeOnHostKey(context, { ...question, ssh }))
  if (!isTrusted) {
    err.write('Nothing was changed.\n')
    return 1
  }
  const hasNewAccess = await gainAccess(work)
  return installAndWait(work, hasNewAccess)
}

/** Each cause of waiting once. */
function tellHindrance({ err }: CommandContext, progress: Progress): (hindrance: Hindrance) => void {
  let told = ''
  return ({ reason, message }) => {
    const text = `${reason}: ${message}`
    if (text === told) return
    told = text
    progress.screen.write(remarkText('Waiting:', text, err))
    progress.show('repository', 'waits until it can be read')
  }
}

async function showPlan({ context, target, session, ssh, options }: Work): Promise<ExitCode> {
  const { out, err } = context
  out.write(targetText(target, ssh))
  const { place, plan } = await planInstallation(context, session, undefined, options)
  out.write(`Supervisor ${place.supervisor}: ${place.why}.\n${planText(plan, out)}`)
  err.write('Nothing was written, and the repository was not asked.\n')
  return 0
}

/** Makes the deploy key, waits until the repository can be read, and writes the host configuration. True: something is new. */
async function gainAccess({ context, target, session, ssh, progress, patience }: Work): Promise<boolean> {
  const { out } = context
  const { openRepository, awaitRevision, sourceOf } = await import('../engine/bootstrap/repository.ts')
  using repository = await openRepository(session, patience.signal)
  let key: DeployKey | undefined
  if (ssh) {
    const { makeDeployKey } = await import('../engine/bootstrap/access-files.ts')
    key = await makeDeployKey(session, ssh)
  }
  let isShown = false
  const showKey = (): void => {
    if (!key || !ssh || isShown) return
    isShown = true
    progress.end()
    out.write(`Add this deploy key to the repository; it only has to read (the private part is ${ssh.sshKey}):\n\n`)
    out.write(`${key.publicKey}\n\n`)
  }
  if (key?.isNew) showKey()
  const onHindrance = (hindrance: Hindrance): void => {
    if (hindrance.reason !== 'Unreachable') showKey()
    patience.onHindrance(hindrance)
  }
  const options = { ...patience, onHindrance }
  const { revision } = await awaitRevision(repository, sourceOf(session), options).finally(progress.end)
  if (revision) out.write(`The repository can be read: ${revision.commit.slice(0, 12)} ${oneLine(revision.subject)}\n`)
  const { file, before, text } = target
  if (before === text) return key?.isNew === true
  const { writeConfiguration } = await import('../engine/bootstrap/configuration-file.ts')
  writeConfiguration(file, text, session.openWriteHost())
  out.write(`Wrote ${file}.\n`)
  return true
}

async function installAndWait(
  { context, session, options, progress, patience }: Work,
  hasNewAccess: boolean,
): Promise<ExitCode> {
  const { out, err, io } = context
  const { signal } = patience
  const command = 'reeve bootstrap'
  const installation = await planInstallation(context, session, undefined, options)
  const { place } = installation
  out.write(`Supervisor ${place.supervisor}: ${place.why}.\n`)
  const installed = await installController(context, session, installation, { progress, signal, command })
  if (!installed.controller) return 1
  reportInstallation(context, installation, installed.controller)
  if (session.configuration.mode === 'report') {
    out.write(
      'This host is in report mode: nothing of the revision is applied. reeve status shows what there is to do.\n',
    )
    return 0
  }

  const { awaitFirstRevision } = await import('../engine/bootstrap/first-revision.ts')
  const first = await awaitFirstRevision(session, progress.listener, patience).finally(progress.end)
  const { isHealthy, outcome, status } = first
  const isInvalid = outcome !== undefined && (await reportDiagnostics(outcome.plan.diagnostics, err))
  if (outcome && outcomeProblems(outcome).length > 0) {
    err.write(outcomeText(outcome, { command, interrupted: false, colors: err.colors }))
  }
  const now = io.clock.now()
  out.write(`\n${status.source ? `${sourceText(status.source, out, now)}\n` : ''}${statusText(status, out, now)}`)
  if (!isHealthy || isInvalid) {
    const late = outcome ? '' : ` within ${formatDuration(options.timeout)}`
    err.write(`The newest revision is not healthy${late}. The controller goes on: see reeve status.\n`)
    return 1
  }
  const isNew = hasNewAccess || hasChanges(installed.outcome.plan.summary)
  out.write(
    isNew
      ? '\nThis host follows the repository.\n'
      : '\nNothing was changed: this host follows the repository already.\n',
  )
  return 0
}
