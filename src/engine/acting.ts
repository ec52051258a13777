import { bytesEqual } from '../core/bytes.ts'
import type { Facility } from '../core/facility.ts'
import type { Observed } from '../core/observed.ts'
import type { Action, Report, WriteHost } from '../core/provider.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import { findTargetProblem } from '../host/target-path.ts'
import type { EngineEvent, EngineListener } from './engine-event.ts'
import { createExecutor, type Executor, type ExecutorOptions, type LaneResult } from './executor.ts'
import { probeHealth } from './health-probe.ts'
import { type History, openHistory } from './history.ts'
import type { BoundInstance } from './instances.ts'
import type { Session } from './session.ts'
import { createTracker, type Tracker } from './tracker.ts'

/** Everything that acting needs: made once by whoever holds the lock. */
export interface Acting {
  readonly executor: Executor
  readonly tracker: Tracker
  readonly history: History
  readonly host: WriteHost
  [Symbol.dispose](): void
}

export interface ActingOptions {
  /** The instances as they are now: they change with the manifests. */
  instances(): ReadonlyMap<string, BoundInstance>
  readonly listener: EngineListener
  /** Why steps are being taken now, for the history: `apply`, `controller`, `reeve start web`. */
  readonly trigger: string
  /** True: a facility that doesn't get ready in its startup timeout counts as failed. False: others wait for it as long as it takes. */
  readonly bounded: boolean
  settled?(result: LaneResult): void
  changed?(facility: string): void
}

export function openActing(session: Session, options: ActingOptions): Acting {
  const { clock, configuration } = session
  const host = session.openWriteHost()
  const history = openHistory(configuration.stateDirectory, host)
  const actingHosts = new Map<string, WriteHost>()

  function find(supervisor: string): BoundInstance {
    const bound = options.instances().get(supervisor)
    if (!bound)
      throw new ReeveError('not-found', `there is no supervisor ${supervisor}: declare it with kind: Supervisor`)
    return bound
  }

  async function perform(supervisor: string, actions: readonly Action[], report: Report): Promise<void> {
    const { provider, instance } = find(supervisor)
    const actingHost = actingHosts.get(provider.type) ?? session.openWriteHost(provider)
    actingHosts.set(provider.type, actingHost)
    await provider.apply(actions, instance, actingHost, report)
  }

  async function observe(facilities: readonly Facility[]): Promise<Map<string, Observed>> {
    const found = new Map<string, Observed>()
    const [first] = facilities
    if (!first) return found
    const { provider, instance, readHost } = find(first.supervisor)
    const services = facilities.map(facility => facility.service)
    const observed = await provider.observe(services, instance, readHost)
    for (const { name, service } of facilities) {
      const one = observed.get(service)
      if (one) found.set(name, one)
    }
    return found
  }

  function recordEvent(event: EngineEvent): void {
    if (event.type !== 'step-finished' || event.result === 'skipped') return
    const { facility, renamedFrom, step, at, result, duration, error } = event
    const { supervisor, service } = at
    const time = new Date(clock.now()).toISOString()
    const cause = error ? { error: error.message } : {}
    const { verb, reason, id } = step
    try {
      history.append({
        time,
        facility,
        ...(renamedFrom === undefined ? {} : { renamedFrom }),
        supervisor,
        service,
        verb,
        reason,
        result,
        duration,
        step: id,
        // Of all that a controller does, only this was asked for by hand.
        trigger: reason === 'requested' && options.trigger === 'controller' ? `reeve ${verb}` : options.trigger,
        ...cause,
      })
    } catch (problem) {
      // A full disk must not keep services from being repaired.
      session.log.warn({ facility, step: id, error: messageOf(problem) }, 'the history could not be written')
    }
  }

  const tracker = createTracker({
    clock,
    observe,
    probe: (facility, signal) => probeHealth(facility, host, signal),
    changed: name => options.changed?.(name),
  })
  const executorOptions: ExecutorOptions = {
    perform,
    writeFile(file) {
      const problem = findTargetProblem(file.path, host)
      if (problem !== undefined) throw new ReeveError('refused', problem)
      host.writeFile(file.path, file.content, { mode: file.mode, uid: file.uid, gid: file.gid })
    },
    removeFile: path => host.removeFile(path),
    holds(file) {
      const content = host.readFile(file.path)
      return content !== undefined && bytesEqual(content, file.content)
    },
    whenReady: (facility, signal, as) =>
      tracker.whenReady(facility, signal, {
        bounded: options.bounded || as === 'moved',
        serving: as === 'dependency',
      }),
    now: () => Math.round(clock.elapsed()),
    concurrency: configuration.concurrency,
    listener(event) {
      recordEvent(event)
      options.listener(event)
    },
    settled: result => options.settled?.(result),
  }
  return {
    executor: createExecutor(executorOptions),
    tracker,
    history,
    host,
    [Symbol.dispose]: () => tracker[Symbol.dispose](),
  }
}
