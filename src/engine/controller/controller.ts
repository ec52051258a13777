import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { Log } from '../../core/contracts/log.ts'
import { describeUnwritable } from '../../core/state/unwritable.ts'
import { abortable } from '../../host/abortable.ts'
import type { Clock } from '../../host/clock.ts'
import type { WriteOut } from '../../host/patient-output.ts'
import { serveControl } from '../../server/control-server.ts'
import { createServiceManager, type ServiceManager } from '../../server/service-manager.ts'
import { withMode } from '../control/report-mode.ts'
import { type FollowedSource, withSource } from '../control/source-control.ts'
import { stopServices } from '../execution/service-stop.ts'
import { reportEnd, reportOutcome } from '../rollout/rollout-report.ts'
import { controlSocketPath, type Session } from '../session/session.ts'
import { controllerPurpose, takeWriterLock } from '../session/writer-lock.ts'
import { createPassReport, type PassReport } from './pass-report.ts'
import { createReconcileQueue, type Due, type ReconcileQueue } from './reconcile-queue.ts'
import { createReconciliation, type Reconciliation } from './reconciliation.ts'
import { createRolloutPasses, type RolloutPasses } from './rollout-passes.ts'
import { openServiceOutput, type ServiceOutput } from './service-output.ts'
import { openSourceSync } from './source-sync.ts'
import { openWatches, type Watches } from './watches.ts'

export interface ControllerOptions {
  /** Ends the controller cleanly, within 5 s, without touching the services (E16). */
  readonly signal: AbortSignal
  /** Calls back when somebody wants everything read anew, and the repository asked. Absent: nobody does. */
  readonly onHangup?: (listener: () => void) => Disposable
  readonly log: Log
  readonly listener?: EngineListener
  /** Number of removals that one pass may make. */
  readonly allowRemovals?: number
  /** True: the controller's end stops the services of supervisors that only a controller starts. */
  readonly stopServices?: boolean
  /** Receives the output of services with `output: stdout`. Absent: it is not relayed. */
  readonly writeOutput?: WriteOut
}

/** Longest time in ms between full snapshots while something is not as declared, or cannot be watched. */
const UNSETTLED_RESYNC = 30_000

/** Time in ms after which a pass that runs, or is overdue, counts as a standstill: a pass takes seconds at most. */
const STANDSTILL = 90_000

/** Longest time in ms that closing may take. */
const LONGEST_END = 4_000

/**
 * Reconciles until the signal. Resolves after a clean end. Rejects with ReeveError if it cannot begin: `locked`, or a socket or
 * port is not available. Once it runs, no failure ends it.
 */
export async function runController(session: Session, options: ControllerOptions): Promise<void> {
  const { configuration, clock } = session
  const { log, signal } = options
  using _lock = await takeWriterLock(session, controllerPurpose)
  using output = options.writeOutput && openServiceOutput(session, log, options.writeOutput)
  const closing: (() => unknown)[] = []
  try {
    const controller = await openController(session, options, output, closing)
    const { mode, resync } = configuration
    log.info(
      { manifests: session.directory, pid: process.pid, resync, mode },
      mode === 'report'
        ? `report mode: observing ${session.directory}, and changing nothing`
        : `reconciling ${session.directory}`,
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

/** Closes everything at the same time. What doesn't end within `LONGEST_END` is abandoned with the process. */
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
  readonly queue: ReconcileQueue
  readonly watches: Watches
  readonly report: PassReport
  readonly manager: ServiceManager
  readonly rollout: RolloutPasses
  /** Begin of the pass that is under way, by `Clock.elapsed`. */
  passBegan: number | undefined
  /** End of the last pass; before the first, the begin of the controller. */
  passEnded: number
}

async function openController(
  session: Session,
  { log, listener, onHangup, signal, allowRemovals = 0 }: ControllerOptions,
  output: ServiceOutput | undefined,
  closing: (() => unknown)[],
): Promise<Controller> {
  const { configuration, clock } = session
  const { listen, resync } = configuration
  const metrics = listen ? await (await import('../../server/metrics.ts')).createMetrics() : undefined
  const queue = createReconcileQueue(clock)
  const rollout = createRolloutPasses({ clock, queue, log, signal })
  closing.push(() => rollout[Symbol.dispose]())
  const source = await openSourceSync(session, {
    log,
    changed: queue.manifests,
    asked: status => metrics?.recordFetch(status),
    again: rollout.again,
    told(record) {
      const ended = reportEnd(record)
      if (ended) metrics?.recordRollout(ended)
    },
    signal,
  })
  if (source) {
    closing.push(() => source.end())
    metrics?.followSource(source.rollout.status)
  }
  rollout.follow(source?.rollout)
  const reconciliation = createReconciliation(session, {
    queue,
    allowRemovals,
    ...(source && { source: source.rollout.status, gate: source.rollout.gate }),
    drifted: () => metrics?.recordDriftCorrected(1),
    listener(event) {
      metrics?.listener(event)
      source?.rollout.noted(event)
      listener?.(event)
    },
  })
  closing.push(() => reconciliation.end())
  const whenSettled = async (until = signal): Promise<void> => {
    if (source) await abortable(source.rollout.settled(until), signal)
  }
  const apply: FollowedSource['apply'] = async (wish, ways) => {
    const outcome = await reconciliation.control.apply(wish, ways)
    await whenSettled(ways.signal)
    return { ...outcome, ...(source && reportOutcome(source.rollout.status())) }
  }
  const asked = withMode(
    withSource(reconciliation.control, session, ask => source && ask({ ...source, apply, whenSettled })),
    session,
  )
  const control = await serveControl(asked, controlSocketPath(configuration), clock)
  closing.push(() => control.close())
  const hangup = onHangup?.(() => {
    queue.manifests()
    source?.request()
  })
  closing.push(() => hangup?.[Symbol.dispose]())
  const manager = createServiceManager({
    environment: process.env,
    host: session.openWriteHost(),
    clock,
    warn: message => log.warn({}, message),
    pid: process.pid,
  })
  const watches = await openWatches(session, reconciliation, queue, log)
  closing.push(() => watches.close())
  const report = createPassReport(session, { reconciliation, metrics, manager, output, log })
  closing.push(() => report[Symbol.dispose]())
  const passEnded = clock.elapsed()
  const controller: Controller = {
    reconciliation,
    queue,
    watches,
    report,
    manager,
    rollout,
    passBegan: undefined,
    passEnded,
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
      isReady: report.isReady,
      ...(source?.webhook && { webhook: source.webhook }),
    })
    closing.push(() => server.close())
    log.info(
      { host: listen.host, port: server.port },
      `answering http://${listen.host}:${server.port}/healthz, /readyz and /metrics`,
    )
  }
  return controller
}

async function loop(controller: Controller, session: Session, signal: AbortSignal): Promise<void> {
  const { report, queue, watches } = controller
  const { clock, configuration } = session
  queue.manifests()
  let resync: Disposable | undefined
  let looked = clock.elapsed()
  while (!signal.aborted) {
    // The guarantee behind all hints: by then at the latest, the manifests are read and everything is observed again.
    resync?.[Symbol.dispose]()
    const isQuiet = report.isAtRest() && watches.isComplete()
    const time = isQuiet ? configuration.resync : Math.min(configuration.resync, UNSETTLED_RESYNC)
    resync = clock.after(Math.max(0, looked + time - clock.elapsed()), () => {
      looked = clock.elapsed()
      queue.manifests()
    })
    const due = await unlessAborted(queue.next(signal), signal)
    // A supervisor that hangs must not hold up the end (E16).
    if (due) await unlessAborted(makePass(controller, session, due, signal), signal)
  }
  resync?.[Symbol.dispose]()
}

/** Describes the standstill. Undefined: there is none. */
function findStandstill({ passBegan, passEnded }: Controller, resync: number, now: number): string | undefined {
  const [lasting, silence] = [now - (passBegan ?? now), now - passEnded]
  if (lasting > STANDSTILL) return `a pass has been under way for ${Math.round(lasting / 1_000)} s`
  if (passBegan !== undefined || silence <= resync + STANDSTILL) return undefined
  return `no pass for ${Math.round(silence / 1_000)} s; one is due every ${resync / 1_000} s`
}

/** Resolves with undefined if the signal comes first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await abortable(promise, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

async function makePass(
  controller: Controller,
  { clock, observers }: Session,
  due: Due,
  signal: AbortSignal,
): Promise<void> {
  const { reconciliation, report, rollout, watches } = controller
  const began = clock.elapsed()
  controller.passBegan = began
  try {
    const result = await reconciliation.pass(due)
    if (signal.aborted) return
    watches.follow()
    observers.keep([...reconciliation.instances().values()].map(({ instance }) => instance))
    await report.done(result, began)
    rollout.passed(() => reconciliation.look(result))
  } catch (error) {
    report.failed(error, began)
  }
  controller.passBegan = undefined
  controller.passEnded = clock.elapsed()
}
