import type { Facility } from '../core/facility.ts'
import type { FileClaims } from '../core/file-claim.ts'
import type { Observed } from '../core/observed.ts'
import { filesOfCheck } from '../core/policy-files.ts'
import type { Action, Report, WriteHost } from '../core/provider.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { Step, Verb } from '../core/step.ts'
import type { EngineEvent, EngineListener } from './engine-event.ts'
import { createExecutor, type Executor, type ExecutorOptions, type LaneResult } from './executor.ts'
import { createProbeTrust } from './health/probe-trust.ts'
import { probeHealth } from './health-probe.ts'
import { type History, openHistory } from './history.ts'
import type { BoundInstance } from './instances.ts'
import { holdsContent, removeManagedFile, writeManagedFile } from './managed-file.ts'
import { createPolicyCheck } from './policy-check.ts'
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
  /** What is known of configuration files now (E19). */
  claims(): FileClaims
  /** A file has been written; `digest` is of its content. */
  wrote?(path: string, digest: string): void
  readonly listener: EngineListener
  /** Why steps are being taken now, for the history: `apply`, `controller`, `reeve start web`. */
  readonly trigger: string
  /** Of a facility's lane that was asked for by something else. */
  triggerOf?(facility: string): string | undefined
  /** True: a facility that doesn't get ready in its startup timeout counts as failed. False: others wait for it as long as it takes. */
  readonly bounded: boolean
  settled?(result: LaneResult): void
  changed?(facility: string): void
}

/** Those that bring about what the manifest says. The others only end or take away what is there. */
const policedVerbs: ReadonlySet<Verb> = new Set(['install', 'enable', 'start', 'restart', 'reload', 'write-file'])

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
        trigger: options.triggerOf?.(facility) ?? triggerFor(step),
        ...cause,
      })
    } catch (problem) {
      // A full disk must not keep services from being repaired.
      session.log.warn({ facility, step: id, error: messageOf(problem) }, 'the history could not be written')
    }
  }

  /** Of all that a controller does by itself, only this was asked for by hand. */
  function triggerFor({ verb, reason }: Step): string {
    return reason === 'requested' && options.trigger === 'controller' ? `reeve ${verb}` : options.trigger
  }

  function findRefusal(facility: Facility): string | undefined {
    const { instance, provider } = find(facility.supervisor)
    const problems = createPolicyCheck(session)(facility, instance, provider)
    return problems.length > 0 ? problems.join('; ') : undefined
  }

  /** What can't be watched is looked at all the same. */
  function watch(supervisor: string, hint: (service?: string) => void): Disposable | undefined {
    const { provider, instance, readHost } = find(supervisor)
    try {
      return provider.watch?.(instance, readHost, hint)
    } catch (error) {
      session.log.debug({ supervisor, error: messageOf(error) }, `supervisor ${supervisor} can not be watched`)
      return undefined
    }
  }

  const trust = createProbeTrust({ host, pids: () => tracker.pids() })
  const tracker: Tracker = createTracker({
    clock,
    // A controller watches them all, and looks at what they tell of.
    ...(options.bounded && { watch }),
    observe,
    async probe(facility, signal) {
      // Commands are run and files read again and again, long after the plan.
      const check = facility.health?.check
      const isBound = check?.type === 'exec' || filesOfCheck(check).length > 0
      const refused = isBound ? findRefusal(facility) : undefined
      if (refused !== undefined) return { healthy: false, message: refused }
      const ask = () => probeHealth(facility, host, clock, signal)
      return trust.check(facility, tracker.observed(facility.name), ask)
    },
    changed: name => options.changed?.(name),
  })
  const executorOptions: ExecutorOptions = {
    perform,
    expectAllowed({ facility }, { verb }) {
      if (!policedVerbs.has(verb)) return
      const refused = findRefusal(facility)
      if (refused !== undefined) throw new ReeveError('refused', refused)
    },
    async writeFile(file, facility) {
      await writeManagedFile(file, { host, claim: options.claims().get(file.path), adopt: facility.adopt })
      options.wrote?.(file.path, file.digest)
    },
    removeFile: path => removeManagedFile(path, options.claims().get(path), host),
    holds: file => holdsContent(file, host),
    whenReady: (facility, signal, as, waiting) =>
      tracker.whenReady(facility, signal, {
        // Who asked for it waits for an answer.
        bounded: options.bounded || as === 'moved' || options.triggerOf?.(waiting) !== undefined,
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
