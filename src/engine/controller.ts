import type { Log } from '../core/log.ts'
import { messageOf } from '../core/reeve-error.ts'
import { acquireLock } from '../host/lock.ts'
import { serveControl } from '../server/control-server.ts'
import type { Metrics } from '../server/metrics.ts'
import { createServiceManager } from '../server/service-manager.ts'
import type { EngineEvent, EngineListener } from './engine-event.ts'
import { watchManifests } from './manifest-watch.ts'
import { createReconciliation, type PassResult } from './reconciliation.ts'
import { controlSocketPath, lockDirectory, type Session } from './session.ts'
import { createSupervisorWatch } from './supervisor-watch.ts'
import { createWakeUp, type Due } from './wake-up.ts'

export interface ControllerOptions {
  /** Ends it: cleanly, within 5 s, and without touching the services (E16). */
  readonly signal: AbortSignal
  readonly log: Log
  readonly listener?: EngineListener
  /** So many removals in one pass are meant. */
  readonly allowRemovals?: number
}

/** A service that can't be reached must not hold up the end for longer than this, in milliseconds. */
const LONGEST_END = 4_000

/**
 * Reconciles for ever. Resolves after a clean stop. Fails with ReeveError if it can't begin: `locked`, or a socket or
 * port can't be had; once it runs, no failure ends it.
 */
export async function runController(session: Session, options: ControllerOptions): Promise<void> {
  const { configuration, clock, readHost } = session
  const { log, signal } = options
  using _lock = await acquireLock(lockDirectory(configuration), 'reeve run', session.openWriteHost(), clock)
  const metrics = await loadMetrics(session)
  const wake = createWakeUp(clock)
  const reconciliation = createReconciliation(session, {
    wake,
    allowRemovals: options.allowRemovals ?? 0,
    drifted: () => metrics?.recordDriftCorrected(1),
    listener(event) {
      logEvent(event, log)
      metrics?.listener(event)
      options.listener?.(event)
    },
  })
  let lastActivity = clock.now()
  let isReady = false
  const control = await serveControl(reconciliation.control, controlSocketPath(configuration))
  const closing: (() => void | Promise<void>)[] = [() => control.close()]
  if (metrics && configuration.listen) {
    const { serveMetrics } = await import('../server/metrics-server.ts')
    const { listen, resync } = configuration
    const server = await serveMetrics({
      listen,
      metrics,
      resync,
      now: () => clock.now(),
      lastActivity: () => lastActivity,
      isReady: () => isReady,
    })
    closing.push(() => server.close())
    log.info({ host: listen.host, port: server.port }, 'answering /healthz, /readyz and /metrics')
  }
  const manager = createServiceManager({
    environment: process.env,
    host: session.openWriteHost(),
    clock,
    warn: message => log.warn({}, message),
    pid: process.pid,
  })
  const watchdog = manager.startWatchdog(() => clock.now() - lastActivity < configuration.resync * 3)
  closing.push(() => watchdog[Symbol.dispose]())
  const manifests = await watchManifests(session.directory, { host: readHost, clock, log }, () => wake.manifests())
  closing.push(() => manifests.close())
  const supervisors = createSupervisorWatch((supervisor, service) => {
    const facility = service === undefined ? undefined : reconciliation.facilityAt(supervisor, service)
    if (facility === undefined) wake.full()
    else wake.facility(facility)
  })
  closing.push(() => supervisors[Symbol.dispose]())

  async function passOnce(due: Due): Promise<void> {
    const began = clock.now()
    lastActivity = began
    try {
      const result = await reconciliation.pass(due)
      manifests.follow()
      supervisors.follow(reconciliation.instances())
      const { facilities } = reconciliation.status()
      metrics?.setFacilities(facilities)
      metrics?.setManifestErrors(result.set.diagnostics.filter(({ severity }) => severity === 'error').length)
      metrics?.recordPass('done', clock.now() - began, clock.now())
      if (!isReady && result.full) {
        isReady = true
        await manager.tellReady(describe(result))
      }
    } catch (error) {
      metrics?.recordPass('failed', clock.now() - began, clock.now())
      log.error(
        { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined },
        'the pass failed; it will be made again',
      )
    }
    lastActivity = clock.now()
  }

  log.info({ manifests: session.directory, pid: process.pid, resync: configuration.resync }, 'reconciling')
  wake.manifests()
  let resync: Disposable | undefined
  while (!signal.aborted) {
    // The guarantee behind all hints: at the latest after this, everything is read and looked at again.
    resync ??= clock.after(configuration.resync, () => {
      resync = undefined
      wake.manifests()
    })
    const due = await wake.next(signal).catch(() => undefined)
    if (due) await passOnce(due)
  }
  resync?.[Symbol.dispose]()
  await manager.tellStopping()
  await Promise.race([Promise.all([reconciliation.end(), ...closing.map(close => close())]), clock.sleep(LONGEST_END)])
  log.info({}, 'the controller has ended; the services go on')
}

async function loadMetrics(session: Session): Promise<Metrics | undefined> {
  if (!session.configuration.listen) return undefined
  const { createMetrics } = await import('../server/metrics.ts')
  return createMetrics()
}

function describe({ plan }: PassResult): string {
  const { summary, facilities } = plan
  return `${facilities.length} facilities, ${summary.blocked} blocked`
}

function logEvent(event: EngineEvent, log: Log): void {
  const { facility } = event
  if (event.type === 'waiting') log.info({ facility }, `waits for ${event.until}`)
  if (event.type !== 'step-finished' || event.result === 'skipped') return
  const { step, at, duration, error, result } = event
  const fields = { facility, step: step.id, verb: step.verb, reason: step.reason, supervisor: at.supervisor, duration }
  if (result === 'done') log.info(fields, `${step.verb} done`)
  else if (result === 'aborted') log.info(fields, `${step.verb} given up: overtaken`)
  else log.error({ ...fields, error: error ? messageOf(error) : undefined }, `${step.verb} failed`)
}
