import type { EngineEvent, EngineListener } from '../../core/contracts/engine-event.ts'
import type { WriteHost } from '../../core/contracts/host.ts'
import type { Action, Report } from '../../core/contracts/provider.ts'
import type { Definition } from '../../core/model/definition.ts'
import type { Facility } from '../../core/model/facility.ts'
import { describeNoStart } from '../../core/plan/start-blocker.ts'
import type { Step } from '../../core/plan/step.ts'
import type { Verb } from '../../core/plan/verb.ts'
import { filesOfCheck } from '../../core/policy/files.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'
import type { Observed } from '../../core/state/observed.ts'
import { findStartProblems } from '../../host/start-check.ts'
import { probeHealth } from '../health/health-probe.ts'
import { createHealthTracker, type HealthTracker } from '../health/health-tracker.ts'
import { createProbeTrust } from '../health/probe-trust.ts'
import { createPolicyCheck } from '../refresh/policy-check.ts'
import { findStartNeeds } from '../refresh/start-problems.ts'
import { readCopy } from '../session/adopted-copies.ts'
import { type History, openHistory } from '../session/history.ts'
import { refuseInReportMode } from '../session/report-mode.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { createAppliers } from './appliers.ts'
import { createExecutor, type Executor, type ExecutorOptions } from './executor.ts'
import type { LaneResult, Work } from './lane.ts'
import { holdsContent, removeManagedFile, restoreManagedFile, writeManagedFile } from './managed-file.ts'
import { createRunKeeping, type KeepRuns } from './run-keeping.ts'

/** Executor of plans with all that it needs; one per process that holds the writer's lock. */
export interface Execution {
  readonly executor: Executor
  readonly tracker: HealthTracker
  readonly history: History
  readonly host: WriteHost
  readonly keepRuns: KeepRuns
  [Symbol.dispose](): void
}

export interface ExecutionOptions {
  /** Current supervisor instances, which change with the manifests. */
  instances(): ReadonlyMap<string, BoundInstance>
  /** Current claims on configuration files (E19). */
  claims(): FileClaims
  /** Called when a file has been written; `digest` is of its content. */
  wrote?(path: string, digest: string): void
  readonly listener: EngineListener
  /** Cause of the steps for the history: `apply`, `controller`, `reeve start web`. */
  readonly trigger: string
  /** Cause of the steps of one facility, if it is another. */
  triggerOf?(facility: string): string | undefined
  /** Default: the history of the state directory, where a failed write is not repeated. */
  readonly history?: History
  /** True: a facility that isn't ready within its startup timeout has failed. False: dependents wait for it without limit. */
  readonly bounded: boolean
  settled?(result: LaneResult): void
  changed?(facility: string): void
}

/** Verbs that the policy is checked for. The others only stop or remove. */
const policedVerbs: ReadonlySet<Verb> = new Set(['install', 'enable', 'start', 'restart', 'reload', 'write-file'])

export function openExecution(session: Session, options: ExecutionOptions): Execution {
  const { clock, configuration } = session
  const host = session.openWriteHost()
  const history = options.history ?? openHistory(configuration.stateDirectory, host)
  const appliers = createAppliers(session)

  function find(supervisor: string): BoundInstance {
    const bound = options.instances().get(supervisor)
    if (!bound)
      throw new ReeveError('not-found', `there is no supervisor ${supervisor}: declare it with kind: Supervisor`)
    return bound
  }

  async function perform(supervisor: string, actions: readonly Action[], report: Report): Promise<void> {
    await appliers.use(supervisor, find(supervisor), applier => applier.apply(actions, report))
  }

  async function observe(facilities: readonly Facility[]): Promise<Map<string, Observed>> {
    const found = new Map<string, Observed>()
    const [first] = facilities
    if (!first) return found
    const { observer } = find(first.supervisor)
    const services = facilities.map(facility => facility.service)
    const observed = await observer.observe(services)
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

  /** Names the command for steps that were requested manually from a controller. */
  function triggerFor({ verb, reason }: Step): string {
    return reason === 'requested' && options.trigger === 'controller' ? `reeve ${verb}` : options.trigger
  }

  function findRefusal(facility: Facility): string | undefined {
    const { instance, provider } = find(facility.supervisor)
    const problems = createPolicyCheck(session)(facility, instance, provider)
    return problems.length > 0 ? problems.join('; ') : undefined
  }

  /** Problems of a start on the host as it is now. */
  function findProblems(facility: Facility, definition: Definition | undefined): readonly string[] {
    const needs = findStartNeeds(facility, definition, find(facility.supervisor).observer)
    return needs ? findStartProblems(needs, host) : []
  }

  /** Undefined if the supervisor cannot be watched: it is polled then. */
  function watch(supervisor: string, hint: (service?: string) => void): Disposable | undefined {
    const { observer } = find(supervisor)
    try {
      return observer.watch?.(hint)
    } catch (error) {
      session.log.debug({ supervisor, error: messageOf(error) }, `cannot watch supervisor ${supervisor}`)
      return undefined
    }
  }

  const trust = createProbeTrust({ host, pids: () => tracker.pids() })
  const tracker: HealthTracker = createHealthTracker({
    clock,
    // A controller watches all supervisors itself.
    ...(options.bounded && { watch }),
    observe,
    async probe(facility, signal) {
      // Checks run commands and read files long after the plan was made, so the policy is checked again.
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
    expectStartable({ facility, definition, startProblems }) {
      // Problems that were known to the plan are no obstacle: no running service would have been lost.
      const problems = startProblems === undefined ? findProblems(facility, definition) : []
      if (problems.length > 0) throw new ReeveError('refused', describeNoStart(problems))
    },
    async writeFile(file, facility) {
      await writeManagedFile(file, { host, claim: options.claims().get(file.path), adopt: facility.adopt })
      options.wrote?.(file.path, file.digest)
    },
    removeFile: path => removeManagedFile(path, options.claims().get(path), host),
    restoreFile: path =>
      restoreManagedFile(path, options.claims().get(path), {
        host,
        readCopy: found => readCopy(configuration.stateDirectory, found, host),
      }),
    holds: file => holdsContent(file, host),
    whenReady: (facility, signal, as, waiting) =>
      tracker.whenReady(facility, signal, {
        // A person who requested the pass waits for its outcome.
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
  const isReporting = configuration.mode === 'report'
  const executor = createExecutor(executorOptions)
  return {
    executor: isReporting ? { ...executor, submit: refuseWork } : executor,
    tracker,
    history,
    host,
    keepRuns: isReporting ? async () => {} : createRunKeeping(session, { find, appliers }),
    [Symbol.dispose]() {
      tracker[Symbol.dispose]()
      appliers[Symbol.dispose]()
    },
  }
}

/** In report mode, no lane begins and no applier is opened, whoever asks: nothing else here has an effect outside Reeve's own state. */
function refuseWork(work: readonly Work[]): ReadonlySet<string> {
  return work.length === 0 ? new Set() : refuseInReportMode('carrying out a plan')
}
