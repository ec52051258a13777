import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { Log } from '../../core/contracts/log.ts'
import { type FacilityStatus, isLeftAlone } from '../../core/contracts/status.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { describeUnwritable, type UnwritableReport } from '../../core/state/unwritable.ts'
import { count } from '../../core/text/count-text.ts'
import { abortable } from '../../host/abortable.ts'
import type { Clock } from '../../host/clock.ts'
import type { WriteOut } from '../../host/patient-output.ts'
import { serveControl } from '../../server/control-server.ts'
import type { Metrics } from '../../server/metrics.ts'
import { createServiceManager, type ServiceManager } from '../../server/service-manager.ts'
import { withSource } from '../control/source-control.ts'
import { stopServices } from '../execution/service-stop.ts'
import { createUnwritableLog } from '../execution/unwritable-log.ts'
import { controlSocketPath, type Session } from '../session/session.ts'
import { controllerPurpose, takeWriterLock } from '../session/writer-lock.ts'
import { type ConditionLog, createConditionLog } from './condition-log.ts'
import { createFileWatch, type FileWatch } from './file-watch.ts'
import { type ManifestWatch, watchManifests } from './manifest-watch.ts'
import type { PassResult } from './pass.ts'
import { createReconcileQueue, type Due, type ReconcileQueue } from './reconcile-queue.ts'
import { createReconciliation, type Reconciliation } from './reconciliation.ts'
import { openServiceOutput, type ServiceOutput } from './service-output.ts'
import { followSource, type SourceSync } from './source-sync.ts'
import { createSupervisorWatch, type SupervisorWatch } from './supervisor-watch.ts'

export interface ControllerOptions {
  /** Ends it: cleanly, within 5 s, and without touching the services (E16). */
  readonly signal: AbortSignal
  /** Calls back when somebody wants everything read anew, and the repository asked. Absent: nobody does. */
  readonly onHangup?: (listener: () => void) => Disposable
  readonly log: Log
  readonly listener?: EngineListener
  /** So many removals in one pass are meant. */
  readonly allowRemovals?: number
  /** True: what runs under supervisors that only a controller starts ends with it. */
  readonly stopServices?: boolean
  /** Takes what services with `output: stdout` write. Absent: nobody does. */
  readonly writeOutput?: WriteOut
}

/** As long as something isn't as declared, or can't be watched, everything is looked at again after this, in milliseconds. */
const UNSETTLED_RESYNC = 30_000

/** A pass takes seconds at most. One that takes longer than this (ms), or is overdue by it, has come to a standstill. */
const STANDSTILL = 90_000

/** So long (ms) the first pass waits for a first revision. */
const FIRST_FETCH = 20_000

/** A service that can't be reached must not hold up the end for longer than this, in milliseconds. */
const LONGEST_END = 4_000

/**
 * Reconciles for ever. Resolves after a clean stop. Fails with ReeveError if it can't begin: `locked`, or a socket or
 * port can't be had; once it runs, no failure ends it.
 */
export async function runController(session: Session, options: ControllerOptions): Promise<void> {
  const { configuration, clock } = session
  const { log, signal } = options
  using _lock = await takeWriterLock(session, controllerPurpose)
  using output = options.writeOutput && openServiceOutput(session, log, options.writeOutput)
  const closing: (() => unknown)[] = []
  try {
    const controller = await openController(session, options, output, closing)
    log.info(
      { manifests: session.directory, pid: process.pid, resync: configuration.resync },
      `reconciling ${session.directory}`,
    )
    await loop(controller, session, signal)
    await controller.manager.tellStopping()
  } finally {
    await closeAll(closing, clock)
  }
  if (options.stopServices) {
    await stopServices(session, { log, listener: options.listener ?? (() => {}) })
  }
  await output?.end()
  log.info({}, options.stopServices ? 'the controller has ended' : 'the controller has ended; the services go on')
}

/** All side by side, and not for ever: what doesn't end in time is left behind with the process. */
function closeAll(closing: readonly (() => unknown)[], clock: Clock): Promise<void> {
  return new Promise(resolve => {
    const limit = clock.after(LONGEST_END, resolve)
    void Promise.allSettled(closing.map(async close => close())).then(() => {
      limit[Symbol.dispose]()
      resolve()
    })
  })
}

interface Controller {
  readonly reconciliation: Reconciliation
  readonly wake: ReconcileQueue
  readonly metrics: Metrics | undefined
  readonly manager: ServiceManager
  readonly manifests: ManifestWatch
  readonly supervisors: SupervisorWatch
  readonly files: FileWatch
  /** What keeps services from being started. */
  readonly obstacles: FileWatch
  readonly troubles: ConditionLog
  readonly output: ServiceOutput | undefined
  readonly logUnwritable: (places: readonly UnwritableReport[]) => void
  readonly log: Log
  /** When the pass that is under way began. */
  passBegan: number | undefined
  /** When the last one ended; before the first, when the controller began. */
  passEnded: number
  /** Everything was as declared when it was looked at last. */
  isAtRest: boolean
  isReady: boolean
  /** The status that the service manager was told last. */
  toldManager: string | undefined
  /** The log has said so since the last time that one wasn't. */
  allAsDeclared: boolean
}

async function openController(
  session: Session,
  { log, listener, onHangup, allowRemovals = 0 }: ControllerOptions,
  output: ServiceOutput | undefined,
  closing: (() => unknown)[],
): Promise<Controller> {
  const { configuration, clock, readHost } = session
  const { listen, resync } = configuration
  const metrics = listen ? await (await import('../../server/metrics.ts')).createMetrics() : undefined
  const wake = createReconcileQueue(clock)
  const source = await openSourceSync(session, log, () => wake.manifests())
  if (source) closing.push(() => source.end())
  const reconciliation = createReconciliation(session, {
    wake,
    allowRemovals,
    ...(source && { source: source.status }),
    drifted: () => metrics?.recordDriftCorrected(1),
    listener(event) {
      metrics?.listener(event)
      listener?.(event)
    },
  })
  closing.push(() => reconciliation.end())
  const asked = withSource(reconciliation.control, session, ask => source && ask(source))
  const control = await serveControl(asked, controlSocketPath(configuration), clock)
  closing.push(() => control.close())
  const hangup = onHangup?.(() => {
    wake.manifests()
    void source?.sync().catch(() => {})
  })
  closing.push(() => hangup?.[Symbol.dispose]())
  const manager = createServiceManager({
    environment: process.env,
    host: session.openWriteHost(),
    clock,
    warn: message => log.warn({}, message),
    pid: process.pid,
  })
  const manifests = await watchManifests(session.directory, { host: readHost, clock, log }, () => wake.manifests())
  closing.push(() => manifests.close())
  const supervisors = createSupervisorWatch((supervisor, service) => {
    const facility = service === undefined ? undefined : reconciliation.facilityAt(supervisor, service)
    if (facility === undefined) wake.full()
    else wake.facility(facility)
  }, log)
  closing.push(() => supervisors[Symbol.dispose]())
  const files = createFileWatch(readHost, log, wake.facility)
  closing.push(() => files[Symbol.dispose]())
  const obstacles = createFileWatch(readHost, log, wake.facility)
  closing.push(() => obstacles[Symbol.dispose]())
  const troubles = createConditionLog(clock, log)
  closing.push(() => troubles[Symbol.dispose]())
  const controller: Controller = {
    reconciliation,
    wake,
    metrics,
    manager,
    manifests,
    supervisors,
    files,
    obstacles,
    troubles,
    output,
    logUnwritable: createUnwritableLog(log),
    log,
    passBegan: undefined,
    passEnded: clock.elapsed(),
    isAtRest: false,
    isReady: false,
    toldManager: undefined,
    allAsDeclared: false,
  }
  const standstill = (): string | undefined => findStandstill(controller, resync, clock.elapsed())
  const watchdog = manager.startWatchdog(() => standstill() === undefined)
  closing.push(() => watchdog[Symbol.dispose]())
  if (metrics && listen) {
    const { serveMetrics } = await import('../../server/metrics-server.ts')
    const server = await serveMetrics({
      listen,
      metrics,
      clock,
      standstill,
      complaints: () => (reconciliation.status().unwritable ?? []).map(describeUnwritable),
      isReady: () => controller.isReady,
    })
    closing.push(() => server.close())
    log.info(
      { host: listen.host, port: server.port },
      `answering http://${listen.host}:${server.port}/healthz, /readyz and /metrics`,
    )
  }
  return controller
}

/** With no revision in force yet, the first pass waits a while for one. */
async function openSourceSync(session: Session, log: Log, changed: () => void): Promise<SourceSync | undefined> {
  const { clock, configuration } = session
  if (!session.followsSource || configuration.source?.type !== 'git') return undefined
  const { openSource } = await import('../session/source-opening.ts')
  const source = openSource(session)
  if (!source) return undefined
  const sync = followSource(source, { clock, log, interval: configuration.source.interval, changed })
  if (!source.status().revision) await Promise.race([sync.sync(), clock.sleep(FIRST_FETCH)])
  return sync
}

async function loop(controller: Controller, session: Session, signal: AbortSignal): Promise<void> {
  const { clock, configuration } = session
  controller.wake.manifests()
  let resync: Disposable | undefined
  let looked = clock.elapsed()
  while (!signal.aborted) {
    // The guarantee behind all hints: at the latest then, everything is read and looked at again.
    resync?.[Symbol.dispose]()
    const time = seesAll(controller) ? configuration.resync : Math.min(configuration.resync, UNSETTLED_RESYNC)
    resync = clock.after(Math.max(0, looked + time - clock.elapsed()), () => {
      looked = clock.elapsed()
      controller.wake.manifests()
    })
    const due = await unlessAborted(controller.wake.next(signal), signal)
    // A supervisor that hangs must not hold up the end (E16).
    if (due) await unlessAborted(makePass(controller, session, due, signal), signal)
  }
  resync?.[Symbol.dispose]()
}

/** True: all is as declared, and whatever changes tells of it. */
function seesAll({ isAtRest, manifests, files, supervisors, reconciliation }: Controller): boolean {
  if (!isAtRest || !manifests.isComplete() || !files.isComplete()) return false
  return [...reconciliation.facilities()].every(({ supervisor }) => supervisors.isWatched(supervisor))
}

/** In words; undefined: it goes on. */
function findStandstill({ passBegan, passEnded }: Controller, resync: number, now: number): string | undefined {
  const [lasting, silence] = [now - (passBegan ?? now), now - passEnded]
  if (lasting > STANDSTILL) return `a pass has been under way for ${Math.round(lasting / 1_000)} s`
  if (passBegan !== undefined || silence <= resync + STANDSTILL) return undefined
  return `no pass for ${Math.round(silence / 1_000)} s; one is due every ${resync / 1_000} s`
}

/** Undefined when the signal came first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await abortable(promise, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

async function makePass(controller: Controller, session: Session, due: Due, signal: AbortSignal): Promise<void> {
  const { reconciliation, metrics, troubles, log } = controller
  const { clock } = session
  const began = clock.elapsed()
  controller.passBegan = began
  try {
    const result = await reconciliation.pass(due)
    if (signal.aborted) return
    controller.manifests.follow()
    const instances = reconciliation.instances()
    controller.supervisors.follow(instances)
    session.observers.keep([...instances.values()].map(({ instance }) => instance))
    controller.files.follow(reconciliation.facilities())
    controller.obstacles.follow(reconciliation.hindered())
    const { facilities, unwritable = [] } = reconciliation.status()
    metrics?.setFacilities(facilities)
    metrics?.setUnwritable(unwritable)
    controller.logUnwritable(unwritable)
    controller.output?.follow(reconciliation.facilities(), facilities)
    troubles.note(facilities, reconciliation.digestOf)
    announce(controller, facilities, result.isSettled)
    metrics?.setManifestErrors(result.set.diagnostics.filter(({ severity }) => severity === 'error').length)
    metrics?.recordPass('done', clock.elapsed() - began, clock.now())
    await tellManager(controller, describe(facilities, troubles), result)
  } catch (error) {
    controller.isAtRest = false
    metrics?.recordPass('failed', clock.elapsed() - began, clock.now())
    const stack = error instanceof Error ? error.stack : undefined
    log.error(
      { error: messageOf(error), stack },
      `the pass failed: ${messageOf(error)}; it will be made again at the next resync or event`,
    )
  }
  controller.passBegan = undefined
  controller.passEnded = clock.elapsed()
}

async function tellManager(controller: Controller, status: string, { full }: PassResult): Promise<void> {
  const { manager } = controller
  if (!controller.isReady && !full) return
  if (controller.isReady && controller.toldManager === status) return
  controller.toldManager = status
  if (controller.isReady) return manager.tellStatus(status)
  controller.isReady = true
  await manager.tellReady(status)
}

/** Once when everything has come to rest as declared: the line that people wait for. */
function announce(controller: Controller, facilities: readonly FacilityStatus[], isSettled: boolean): void {
  const kept = facilities.filter(status => !isLeftAlone(status))
  controller.isAtRest = isSettled && kept.every(isAtRest)
  const all = controller.isAtRest && kept.length > 0
  if (all && !controller.allAsDeclared) {
    const what = kept.length === 1 ? '1 facility is' : `all ${kept.length} facilities are`
    const others = facilities.length - kept.length
    const rest = others === 0 ? '' : `; ${count(others, 'other is', 'others are')} left alone`
    controller.log.info({ facilities: kept.length }, `${what} as declared${rest}`)
  }
  controller.allAsDeclared = all
}

function isAtRest({ conditions }: FacilityStatus): boolean {
  const isReady = findCondition(conditions, 'Ready')?.status === 'True'
  return isReady && findCondition(conditions, 'Reconciling')?.status !== 'True'
}

/** For `systemctl status`: says nothing that comes and goes. */
function describe(facilities: readonly FacilityStatus[], { size }: ConditionLog): string {
  return `${count(facilities.length, 'facility', 'facilities')}${size === 0 ? '' : `, ${size} not as declared`}`
}
