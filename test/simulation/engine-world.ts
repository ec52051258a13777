import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { ApplyOutcome } from '../../src/core/contracts/apply-outcome.ts'
import type { EngineEvent, EngineListener } from '../../src/core/contracts/engine-event.ts'
import type { ProcessFacts } from '../../src/core/contracts/host.ts'
import type { Action } from '../../src/core/contracts/provider.ts'
import type { ContainedRunOptions, ContainedRunResult } from '../../src/core/contracts/runs.ts'
import type { FacilityStatus, Status } from '../../src/core/contracts/status.ts'
import type { Plan } from '../../src/core/plan/step.ts'
import { type Condition, findCondition } from '../../src/core/reconcile/conditions.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { createReconcileQueue } from '../../src/engine/controller/reconcile-queue.ts'
import { createReconciliation, type Reconciliation } from '../../src/engine/controller/reconciliation.ts'
import { createSupervisorWatch } from '../../src/engine/controller/supervisor-watch.ts'
import { type ApplyOptions, applyOnce, makeCurrentPlan } from '../../src/engine/execution/apply.ts'
import { type HistoryEntry, readHistory } from '../../src/engine/session/history.ts'
import { openSession, type Session } from '../../src/engine/session/session.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { createLogLines, type LogLine } from '../tools/log-lines.ts'
import { createManualClock, type ManualClock } from '../tools/manual-clock.ts'
import { createMeddledProvider, type Meddled } from '../tools/meddled-provider.ts'
import { withApplier } from '../tools/opened-provider.ts'
import { createPrograms, type Programs } from './programs.ts'
import { createSimulatedSupervisor, type SimulatedSupervisor } from './simulated-supervisor.ts'

/** The controller's reconciliation over a simulated supervisor, on a clock controlled by the test. */
export interface EngineWorld extends AsyncDisposable {
  readonly clock: ManualClock
  readonly meddled: Meddled
  readonly supervisor: SimulatedSupervisor
  readonly programs: Programs
  /** Starting the one stops the other, by a hook in its script that nobody knows of: names of services. */
  readonly quarrels: Map<string, string>
  readonly manifests: string
  /** Of the supervisors `alpha` and `beta`. */
  directory(supervisor: string): string
  path(name: string): string
  /** Writes the manifest of a facility, or deletes it; the watch may notice, or not. */
  declare(name: string, spec: object | undefined, isNoticed: boolean): void
  /** Actions handed to the provider, in the state of that moment. */
  readonly acts: Act[]
  /** `working`: facilities with a step since then. */
  readonly passes: { working: number; all: number }
  plan(): Promise<Plan>
  /** Beside no controller: see `isRunning`. */
  apply(options?: Partial<ApplyOptions> & { readonly session?: Session }): Promise<ApplyOutcome>
  /** Of the controller. */
  readonly events: readonly EngineEvent[]
  /** Of the session. */
  readonly log: readonly LogLine[]
  history(): HistoryEntry[]
  /** Of the controller. */
  readonly control: Reconciliation['control']
  status(): Status
  facility(name: string): FacilityStatus | undefined
  condition(name: string, type: Condition['type']): Condition | undefined
  /** Of the process of a service of supervisor `alpha`. */
  pid(service: string): number | undefined
  /** True if the last full refresh resulted in no step. */
  hasNothingToDo(): boolean
  readonly session: Session
}

export interface Act {
  readonly verb: Action['verb']
  /** `DIRECTORY/SERVICE`. */
  readonly key: string
  readonly at: number
}

export interface EngineWorldOptions {
  /** Of the controller, in ms. */
  readonly resync?: number
  readonly allowRemovals?: number
  /** False: there is no controller. */
  readonly isRunning?: boolean
  /** Called with each event of the controller. */
  readonly listener?: EngineListener
}

/** Durability is tested elsewhere: syncing would take most of the time here. */
const disk = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export async function createEngineWorld(options: EngineWorldOptions = {}): Promise<EngineWorld> {
  const { resync = 30_000, allowRemovals = 1_000, isRunning = true, listener } = options
  const root = mkdtempSync(join(disk, 'reeve-engine-world-'))
  const path = (...names: string[]): string => join(root, ...names)
  const directory = (supervisor: string): string => path('state', 'simulated', supervisor)
  for (const name of ['manifests', 'files']) mkdirSync(path(name))
  for (const name of ['alpha', 'beta']) mkdirSync(directory(name), { recursive: true })
  const write = (name: string, document: object): void =>
    writeFileSync(path('manifests', `${name}.yaml`), JSON.stringify({ apiVersion: 'reeve/v1', ...document }))
  writeFileSync(path('reeve.yaml'), 'apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: alpha\n')
  for (const name of ['alpha', 'beta']) {
    write(`supervisor-${name}`, { kind: 'Supervisor', metadata: { name }, spec: { type: 'simulated' } })
  }

  const clock = createManualClock()
  const quarrels = new Map<string, string>()
  const programs = createPrograms({
    clock,
    started(key) {
      const other = quarrels.get(basename(key))
      if (other !== undefined) void supervisor.stop(join(dirname(key), other), true)
    },
  })
  const supervisor = createSimulatedSupervisor(clock, programs)
  const acts: Act[] = []
  // It needs no options: compiling their schema takes longer than a story.
  const quick = { ...supervisor.provider, capabilities: { process: ['command'] as const } }
  const noting = withApplier(quick, ({ apply }, instance) => ({
    apply(actions, report) {
      for (const { verb, service, signal } of actions) {
        if (!signal.aborted) acts.push({ verb, key: `${directory(instance.name)}/${service}`, at: clock.elapsed() })
      }
      return apply(actions, report)
    },
  }))
  const meddled = createMeddledProvider(noting, clock)
  /** A health check: `/bin/true SERVICE`. */
  async function ask(
    command: readonly string[],
    { timeout = 0, signal }: ContainedRunOptions,
  ): Promise<ContainedRunResult> {
    if (programs.answers(command[1] ?? '')) return { exitCode: 0, stdout: new Uint8Array(), stderr: '' }
    await clock.sleep(timeout, signal)
    throw new ReeveError('failed', `no answer in ${timeout} ms`)
  }

  function findProcess(pid: number): ProcessFacts | undefined {
    // The writer's lock asks for its own.
    if (pid === process.pid) return createReadHost().process(pid)
    if (!programs.isAlive(pid)) return undefined
    return { pid, parent: 1, group: pid, session: pid, hasTerminal: false, state: 'S', startTime: String(pid) }
  }

  const events: EngineEvent[] = []
  const { log, lines } = createLogLines()
  const session = await openSession({
    log,
    config: path('reeve.yaml'),
    directory: path('manifests'),
    stateDir: path('state'),
    insecurePermissions: true,
    extraProviders: [meddled.provider],
    createWriteHost: options => ({ ...createWriteHost(options), runContained: ask, process: findProcess }),
    clock,
  })
  const queue = createReconcileQueue(clock)
  const passes = { working: 0, all: 0 }
  let isQuiet = false
  const reconciliation = createReconciliation(session, {
    queue,
    allowRemovals,
    drifted() {},
    listener(event) {
      events.push(event)
      listener?.(event)
    },
  })
  const watch = createSupervisorWatch((name, service) => {
    const facility = service === undefined ? undefined : reconciliation.facilityAt(name, service)
    if (facility === undefined) queue.full()
    else queue.facility(facility)
  }, session.log)
  const ending = new AbortController()
  const over = isRunning
    ? reconcile(ending.signal).catch(error => {
        if (!ending.signal.aborted) throw error
      })
    : undefined

  /** As the controller's own loop. */
  async function reconcile(signal: AbortSignal): Promise<void> {
    let noted = 0
    const lookAgain = (): void => {
      queue.manifests()
      clock.after(resync, lookAgain)
    }
    lookAgain()
    while (!signal.aborted) {
      const due = await queue.next(signal)
      if (acts.length > noted) passes.working += 1
      noted = acts.length
      const { plan } = await reconciliation.pass(due)
      if (due.full) isQuiet = plan.facilities.every(({ steps }) => steps.length === 0)
      watch.follow(reconciliation.instances())
      passes.all += 1
    }
  }

  function facility(name: string): FacilityStatus | undefined {
    return reconciliation.status().facilities.find(one => one.name === name)
  }

  return {
    clock,
    meddled,
    supervisor,
    programs,
    quarrels,
    manifests: path('manifests'),
    directory,
    path: name => path('files', name),
    declare(name, spec, isNoticed) {
      if (spec) write(name, { kind: 'Facility', metadata: { name }, spec })
      else rmSync(path('manifests', `${name}.yaml`), { force: true })
      if (isNoticed) queue.manifests()
    },
    acts,
    passes,
    plan: () => makeCurrentPlan(session),
    apply: ({ session: own = session, ...more } = {}) =>
      clock.advanceUntil(applyOnce(own, { signal: new AbortController().signal, listener() {}, ...more })),
    control: reconciliation.control,
    events,
    log: lines,
    history: () => readHistory(session.configuration.stateDirectory, createReadHost()),
    status: () => reconciliation.status(),
    facility,
    condition(name, type) {
      const found = facility(name)
      return found && findCondition(found.conditions, type)
    },
    pid: service => supervisor.services.get(`${directory('alpha')}/${service}`)?.process?.pid,
    hasNothingToDo: () => isQuiet,
    session,
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the test is over'))
      const ended = Promise.all([over, reconciliation.end()])
      // Timers that still wait for the clock fire.
      await clock.advance(10_000)
      await ended
      watch[Symbol.dispose]()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
