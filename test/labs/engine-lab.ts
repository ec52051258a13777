import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ApplyOutcome } from '../../src/core/contracts/apply-outcome.ts'
import type { Control } from '../../src/core/contracts/control.ts'
import type { EngineEvent, EngineListener } from '../../src/core/contracts/engine-event.ts'
import type { Provider } from '../../src/core/contracts/provider.ts'
import type { FacilityStatus } from '../../src/core/contracts/status.ts'
import type { FacilityPlan, Plan } from '../../src/core/plan/step.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import { runController } from '../../src/engine/controller/controller.ts'
import { type ApplyOptions, applyOnce, makeCurrentPlan } from '../../src/engine/execution/apply.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { type HistoryEntry, readHistory } from '../../src/engine/session/history.ts'
import { controlSocketPath, openSession, type Session, type SessionOptions } from '../../src/engine/session/session.ts'
import type { WriteOut } from '../../src/host/patient-output.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { connectControl } from '../../src/server/control-client.ts'
import { createLogLines, type LogLine } from '../tools/log-lines.ts'
import { powerOff } from './process-lab.ts'

export type Spec = Readonly<Record<string, unknown>>

/** Host of one test: manifests, state, and an instance of the built-in supervisor, `lab`, in a directory of its own. */
export interface EngineLab extends AsyncDisposable {
  readonly directory: string
  readonly manifests: string
  readonly stateDirectory: string
  /** Directory of the instance `lab`. */
  readonly supervisorDirectory: string
  path(...names: string[]): string
  open(options?: SessionOptions): Promise<Session>
  /** Writes `NAME.yaml` with this facility, atomically. */
  declare(name: string, spec: Spec): void
  /** Declares another instance of the built-in supervisor, in a directory of its own. Returns its directory. */
  declareSupervisor(name: string, directory?: string): string
  /** Deletes `NAME.yaml`. */
  withdraw(name: string): void
  write(file: string, text: string): void
  plan(options?: SessionOptions): Promise<Plan>
  apply(options?: Partial<ApplyOptions> & { readonly session?: Session }): Promise<ApplyOutcome>
  observe(name: string): Promise<Observed>
  history(): HistoryEntry[]
  /** Controller in this process. Ends with the lab at the latest. */
  run(options?: RunOptions): Promise<RunningController>
  /** Lines that services have written to a file in `directory`. */
  lines(file: string): string[]
}

export interface RunOptions extends SessionOptions {
  readonly allowRemovals?: number
  readonly stopServices?: boolean
  readonly writeOutput?: WriteOut
  readonly listener?: EngineListener
}

export interface RunningController {
  readonly session: Session
  readonly control: Control
  readonly events: readonly EngineEvent[]
  readonly log: readonly LogLine[]
  status(name: string): Promise<FacilityStatus | undefined>
  /** Waits until the facility is Ready and no step of it is running. */
  ready(name: string): Promise<FacilityStatus>
  /** Executed steps, in order: `web/start`. */
  steps(): string[]
  stop(): Promise<void>
}

export interface EngineLabOptions {
  /** Lines of the host configuration: `resync: 1s`. */
  readonly configuration?: string
  readonly providers?: readonly Provider[]
  /** Absent: one in `directory`. */
  readonly stateDirectory?: string
  /** The host configuration says where manifests come from. */
  readonly hasSource?: boolean
}

export function createEngineLab(options: EngineLabOptions = {}): EngineLab {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-engine-'))
  const path = (...names: string[]): string => join(directory, ...names)
  const manifests = path('manifests')
  const stateDirectory = options.stateDirectory ?? path('state')
  // Includes undeclared services.
  const supervisorDirectories = [join(stateDirectory, 'process')]
  const running: RunningController[] = []
  mkdirSync(manifests)
  writeFileSync(
    path('reeve.yaml'),
    `apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: lab\n${options.configuration ?? ''}\n`,
  )

  function open(more: SessionOptions = {}): Promise<Session> {
    return openSession({
      ...(options.hasSource ? {} : { directory: manifests }),
      stateDir: stateDirectory,
      config: path('reeve.yaml'),
      insecurePermissions: true,
      extraProviders: options.providers ?? [processProvider],
      ...more,
    })
  }

  function write(file: string, text: string): void {
    const target = join(manifests, file)
    const temporary = join(dirname(target), `.${Math.random()}`)
    writeFileSync(temporary, text)
    renameSync(temporary, target)
  }

  function declareSupervisor(name: string, own = path(`supervisor-${name}`)): string {
    if (!supervisorDirectories.includes(own)) supervisorDirectories.push(own)
    write(`supervisor-${name}.yaml`, supervisorManifest(name, own))
    return own
  }

  async function run({
    allowRemovals,
    stopServices = false,
    writeOutput,
    listener,
    ...more
  }: RunOptions = {}): Promise<RunningController> {
    const { log: sink, lines: log } = createLogLines()
    const events: EngineEvent[] = []
    const session = await open({ log: sink, ...more })
    const ending = new AbortController()
    let failure: unknown
    let isOver = false
    const over = runController(session, {
      signal: ending.signal,
      log: sink,
      stopServices,
      ...(writeOutput && { writeOutput }),
      listener(event) {
        events.push(event)
        listener?.(event)
      },
      ...(allowRemovals === undefined ? {} : { allowRemovals }),
    })
      .catch((error: unknown) => {
        failure = error
      })
      .finally(() => {
        isOver = true
      })
    await eventually(
      'the controller to run',
      () => isOver || log.some(({ message }) => /^(?:reconciling|report mode:) /.test(message)),
    )
    if (failure) throw failure
    const control = await connectControl(controlSocketPath(session.configuration), session.clock)
    if (!control) throw new Error('the controller does not answer')
    const status = async (name: string): Promise<FacilityStatus | undefined> =>
      (await control.status()).facilities.find(facility => facility.name === name)
    const controller: RunningController = {
      session,
      control,
      events,
      log,
      status,
      async ready(name) {
        let found: FacilityStatus | undefined
        await eventually(`${name} to be ready`, async () => {
          found = await status(name)
          return conditionOf(found, 'Ready') === 'True' && conditionOf(found, 'Reconciling') === 'False'
        })
        if (!found) throw new Error(`there is no ${name}`)
        return found
      },
      steps: () => stepsDone(events),
      async stop() {
        ending.abort()
        await over
        if (failure) throw failure
      },
    }
    running.push(controller)
    return controller
  }

  declareSupervisor('lab', path('supervisor'))
  return {
    directory,
    manifests,
    stateDirectory,
    supervisorDirectory: path('supervisor'),
    path,
    open,
    declare: (name, spec) => write(`${name}.yaml`, facilityManifest(name, spec)),
    declareSupervisor,
    withdraw: name => unlinkSync(join(manifests, `${name}.yaml`)),
    write,
    async plan(more) {
      return makeCurrentPlan(await open(more))
    },
    async apply({ session, ...more } = {}) {
      const signal = new AbortController().signal
      return applyOnce(session ?? (await open()), { signal, listener() {}, ...more })
    },
    async observe(name) {
      const { refresh } = await makePlanRun(await open())
      const facility = refresh.targets.find(target => target.facility.name === name)?.facility
      const service = facility?.service ?? name
      const observed = refresh.snapshot.services.get(`${facility?.supervisor ?? 'lab'}/${service}`)
      return observed ?? { service, state: 'absent', enabled: false, supervised: false }
    },
    history: () => readHistory(stateDirectory, createReadHost()),
    run,
    lines: file => (existsSync(path(file)) ? readFileSync(path(file), 'utf8').split('\n').filter(Boolean) : []),
    async [Symbol.asyncDispose]() {
      for (const controller of running) await controller.stop().catch(() => {})
      for (const own of supervisorDirectories) await powerOff(own)
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Most tests don't depend on how long a service has been up, and needn't wait for the default of 1 s. */
export function facilityManifest(name: string, spec: Spec): string {
  const metadata = { name }
  const patient = { readySeconds: 0.5, ...spec }
  return `${JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata, spec: patient })}\n`
}

export function supervisorManifest(name: string, directory: string): string {
  const spec = { type: 'process', process: { directory } }
  return `${JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name }, spec })}\n`
}

/** Runs until it is stopped, and ends at once on TERM. `mark` only makes it another definition. */
export function longRun(mark = 0): Spec {
  return { command: ['/bin/sleep', String(1_000_000 + mark)] }
}

/** Appends `start NAME NANOSECONDS` and, on TERM, `stop NAME NANOSECONDS` to a file; takes `stopping` seconds to end. */
export function diary(
  name: string,
  file: string,
  { stopping = 0, mark = '' }: { readonly stopping?: number; readonly mark?: string } = {},
): Spec {
  const say = (word: string): string => `echo ${word} ${name} $(date +%s%N) >> ${file}`
  const end = `trap '' TERM; ${stopping > 0 ? `sleep ${stopping}; ` : ''}${say('stop')}; exit 0`
  const script = `${mark === '' ? '' : `: ${mark}; `}trap '${end}' TERM; ${say('start')}; sleep 1000000 & wait`
  return { command: ['/bin/sh', '-c', script] }
}

export function conditionOf(status: FacilityStatus | undefined, type: string): string | undefined {
  return status?.conditions.find(condition => condition.type === type)?.status
}

export function reasonOf(status: FacilityStatus | undefined, type: string): string | undefined {
  return status?.conditions.find(condition => condition.type === type)?.reason
}

export function stepsDone(events: readonly EngineEvent[]): string[] {
  return events.flatMap(event => (event.type === 'step-finished' && event.result === 'done' ? event.step.id : []))
}

export function stepsOf(plan: Plan): string[] {
  return plan.facilities.flatMap(({ steps }) => steps.map(({ id }) => id))
}

export function planOf(plan: Plan, name: string): FacilityPlan | undefined {
  return plan.facilities.find(facility => facility.name === name)
}

/** Healthy as long as a file of that name exists. */
export function healthyWith(lab: EngineLab, file: string, more: Spec = {}): Spec {
  return { exec: { command: ['/usr/bin/test', '-e', lab.path(file)] }, interval: '1s', timeout: '1s', ...more }
}

/** Waits until the count no longer changes. */
export async function untilAtRest(count: () => number): Promise<void> {
  await eventually('it to come to rest', async () => {
    const before = count()
    await new Promise(resolve => setTimeout(resolve, 1_500))
    return count() === before
  })
}
