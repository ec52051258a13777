import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readSourceWish, type SourceFlags } from '../cli/bootstrap-wish.ts'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { chooseHostKey } from '../cli/host-key-question.ts'
import { installController, planInstallation, reportInstallation } from '../cli/installing.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { outcomeProblems, outcomeText } from '../cli/outcome-text.ts'
import { hasChanges, planText } from '../cli/plan-text.ts'
import { type Progress, startProgress } from '../cli/progress.ts'
import { oneLine, remarkText } from '../cli/screen.ts'
import { sourceText } from '../cli/source-text.ts'
import { statusText } from '../cli/status-table.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { diffText } from '../core/text/diff-text.ts'
import { formatDuration } from '../core/text/quantity.ts'
import type { DeployKey, SshFiles } from '../engine/bootstrap/access-files.ts'
import type { Hindrance, PatienceOptions } from '../engine/bootstrap/patience.ts'
import type { Session } from '../engine/session/session.ts'
import { findHostConfigurationFile, loadHostConfiguration } from '../manifest/host-configuration-file.ts'
import { addSource, type SourceWish } from '../manifest/source-addition.ts'

export interface BootstrapOptions extends SourceFlags {
  readonly supervisor?: string
  /** In ms. */
  readonly timeout: number
  readonly dryRun?: boolean
}

/** What is to become of the host configuration. */
interface Target {
  readonly file: string
  /** Undefined: there is no file. */
  readonly before: string | undefined
  readonly text: string
  readonly wish: SourceWish
}

interface Work {
  readonly context: CommandContext
  readonly target: Target
  readonly session: Session
  readonly ssh: SshFiles | undefined
  readonly options: BootstrapOptions
  readonly progress: Progress
  readonly patience: PatienceOptions
}

/**
 * Has this host follow a Git repository: access to it, the host configuration, the controller. Fails unless the first revision is healthy.
 */
export async function bootstrap(context: CommandContext, url: string, options: BootstrapOptions): Promise<ExitCode> {
  const { io, err } = context
  const target = readTarget(context, readSourceWish(url, options, io.cwd))
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
  const work: Work = { context, target, session, ssh: sshFilesOf(session), options, progress, patience }
  if (options.dryRun) return showPlan(work)
  if (!(await agreeOnHostKey(work))) {
    err.write('Nothing was changed.\n')
    return 1
  }
  const hasNewAccess = await gainAccess(work)
  return installAndWait(work, hasNewAccess)
}

function readTarget({ io, globals }: CommandContext, wish: SourceWish): Target {
  const settings = {
    ...(globals.config !== undefined && { file: resolve(io.cwd, globals.config) }),
    env: io.env,
    userId: process.geteuid?.() ?? 0,
    insecurePermissions: globals.insecurePermissions,
  }
  const file = resolve(io.cwd, findHostConfigurationFile(settings))
  if (!existsSync(file)) return { file, before: undefined, text: addSource(file, undefined, wish), wish }
  const configuration = loadHostConfiguration(settings)
  const before = readFileSync(file, 'utf8')
  return { file, before, text: addSource(file, { text: before, configuration }, wish), wish }
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
  const { file, before, text, wish } = target
  if (ssh) {
    const known = ssh.knownHosts
    if (existsSync(ssh.sshKey)) out.write(`The deploy key is ${ssh.sshKey}.\n`)
    else out.write(`A deploy key would be made: ${ssh.sshKey}.\n`)
    if (!existsSync(known)) out.write(`The host key of ${wish.url.host} would be recorded in ${known}, once trusted.\n`)
  }
  if (before === text) out.write(`${file} would stay as it is.\n`)
  else {
    const content = (value: string | undefined) => ({ content: value === undefined ? undefined : Buffer.from(value) })
    out.write(`${file} would be written:\n\n${diffText(file, content(before), content(text))}\n`)
  }
  const { place, plan } = await planInstallation(context, session, undefined, options)
  out.write(`Supervisor ${place.supervisor}: ${place.why}.\n${planText(plan, out)}`)
  err.write('Nothing was written, and the repository was not asked.\n')
  return 0
}

/** Sees to a recorded key of the server. False: nobody trusts it. */
async function agreeOnHostKey({ context, target, session, ssh, options, progress, patience }: Work): Promise<boolean> {
  const { isHostKnown, awaitHostKeys, recordHostKey } = await import('../engine/bootstrap/access-files.ts')
  if (!ssh || (await isHostKnown(session, ssh))) return true
  const { url, access } = target.wish
  const server = `${url.host}${url.port === undefined ? '' : `, port ${url.port}`}`
  if (access.knownHosts !== undefined) {
    throw new ReeveError(
      'not-found',
      `${access.knownHosts} has no host key of ${server}; add it, or leave --known-hosts away to be asked`,
    )
  }
  const keys = await awaitHostKeys(session, patience).finally(progress.end)
  const key = await chooseHostKey(context, server, keys, { accepted: options.acceptHostKey, signal: patience.signal })
  if (!key) return false
  recordHostKey(session, ssh, key)
  context.out.write(`Recorded the host key of ${server} in ${ssh.knownHosts}: ${key.type} ${key.fingerprint}\n`)
  return true
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
    err.write(`The revision is not healthy${late}. The controller goes on: see reeve status.\n`)
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
