import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { Control } from '../core/contracts/control.ts'
import type { ActionResult, Observer, Provider, ServiceVerb } from '../core/contracts/provider.ts'
import type { Definition } from '../core/model/definition.ts'
import type { Facility, Instance } from '../core/model/facility.ts'
import type { Plan } from '../core/plan/step.ts'
import type { Observed } from '../core/state/observed.ts'
import { createDirectControl } from '../engine/control/direct-control.ts'
import { applyOnce, makeCurrentPlan } from '../engine/execution/apply.ts'
import { makePlanRun } from '../engine/refresh/plan-run.ts'
import { openSession, type Session } from '../engine/session/session.ts'
import type { EffectListener } from '../host/effects.ts'
import { readProcessFacts } from '../host/process-facts.ts'
import { createReadHost } from '../host/read-host.ts'
import { createWriteHost } from '../host/write-host.ts'
import { eventually } from './eventually.ts'
import type { ConformanceHarness, ConformanceSupervisor } from './harness.ts'

/** Host of one test case: a manifests directory, a state directory, and a supervisor `lab` of its own. */
export interface Lab extends Disposable {
  readonly directory: string
  /** Time in ms that an immediate action may take. */
  readonly patience: number
  readonly supervisor: ConformanceSupervisor
  readonly session: Session
  readonly control: Control
  /** Session of another Reeve on this host, with a state directory of its own and the same manifests. */
  openAs(owner: string): Promise<Session>
  /** Replaces the manifests by these facility specs, by name. The default supervisor is `lab`. */
  declare(facilities: Readonly<Record<string, FacilitySpec>>): void
  plan(): Promise<Plan>
  apply(options?: { allowRemovals?: number }): Promise<ApplyOutcome>
  /** `apply` in which every step has to succeed and every facility to become ready. */
  converge(options?: { allowRemovals?: number }): Promise<ApplyOutcome>
  observe(name: string): Promise<Observed>
  /** Observes until the condition holds; the error shows the last observation. */
  untilObserved(name: string, what: string, isSo: (observed: Observed) => boolean): Promise<Observed>
  /** Provider and arguments as the engine passes them for a declared facility. */
  ask(name: string): Promise<Direct>
  /** Paths of the facility's definition files, whether or not they exist. */
  definitionPaths(name: string): Promise<string[]>
}

/** A provider and its arguments for one facility. */
export interface Direct {
  readonly provider: Provider
  readonly instance: Instance
  readonly facility: Facility
  readonly definition: Definition
  readonly observer: Observer
  /** Another observer of the same instance. */
  open(): Observer
  /** Of the facility's service, by `observer`. */
  observe(): Promise<Observed>
  /** Fails if no result is reported in time. `onEffect` is called for each effect on the host. */
  act(verb: ServiceVerb, options?: ActOptions): Promise<ActionResult>
}

export interface ActOptions {
  readonly signal?: AbortSignal
  readonly onEffect?: EffectListener
}

export type FacilitySpec = Readonly<Record<string, unknown>> & { readonly process?: Readonly<Record<string, unknown>> }

/** For a busy machine and a supervisor that polls. */
const PATIENCE = 60_000

/** Runs until it is stopped; ends at once on TERM. */
export const LONG_RUN: readonly string[] = ['/bin/sleep', '1000000']

/** `owner`: of the lab's Reeve. Two that may meet on one supervisor need two, or each removes what the other has. */
export async function withLab(
  harness: ConformanceHarness,
  body: (lab: Lab) => Promise<void>,
  owner = 'default',
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-conformance-'))
  const supervisorDirectory = join(directory, 'supervisor')
  mkdirSync(supervisorDirectory)
  const supervisor = await harness.setUp(supervisorDirectory)
  const lab = await openLab(harness, supervisor, { directory, owner })
  try {
    await body(lab)
  } finally {
    lab.declare({})
    lab[Symbol.dispose]()
    await supervisor.tearDown()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function openLab(
  harness: ConformanceHarness,
  supervisor: ConformanceSupervisor,
  { directory, owner }: { readonly directory: string; readonly owner: string },
): Promise<Lab> {
  const manifests = join(directory, 'manifests')
  mkdirSync(manifests)
  const { patience = PATIENCE } = harness
  const { type } = harness.provider
  const open = (stateDir: string, config: string): Promise<Session> =>
    openSession({
      directory: manifests,
      stateDir: join(directory, stateDir),
      config,
      insecurePermissions: true,
      extraProviders: [harness.provider],
    })
  const session = await open('state', writeConfiguration(directory, 'reeve.yaml', `owner: ${owner}\n`))
  const opened: Disposable[] = [session]
  const controller = new AbortController()

  function declare(facilities: Readonly<Record<string, FacilitySpec>>): void {
    const documents: unknown[] = [
      {
        apiVersion: 'reeve/v1',
        kind: 'Supervisor',
        metadata: { name: 'lab' },
        spec: { type, [type]: supervisor.options },
      },
    ]
    for (const [name, spec] of Object.entries(facilities)) {
      documents.push({
        apiVersion: 'reeve/v1',
        kind: 'Facility',
        metadata: { name },
        // These cases need no longer wait than it takes to see a start that fails at once.
        spec: { supervisor: 'lab', readySeconds: 0.5, ...spec },
      })
    }
    writeFileSync(join(manifests, 'all.yaml'), documents.map(document => JSON.stringify(document)).join('\n---\n'))
  }

  async function apply(options: { allowRemovals?: number } = {}): Promise<ApplyOutcome> {
    const outcome = await applyOnce(session, {
      allowRemovals: 1_000,
      ...options,
      signal: controller.signal,
      listener() {},
    })
    const errors = outcome.plan.diagnostics.filter(({ severity }) => severity === 'error')
    assert.deepEqual(errors, [], 'the manifests of the case are valid')
    return outcome
  }

  async function observe(name: string): Promise<Observed> {
    const { refresh } = await makePlanRun(session)
    const facility = refresh.targets.find(target => target.facility.name === name)?.facility
    const service = facility?.service ?? name
    const observed = refresh.snapshot.services.get(`${facility?.supervisor ?? 'lab'}/${service}`)
    return observed ?? { service, state: 'absent', enabled: false, supervised: false }
  }

  declare({})
  return {
    directory,
    patience,
    supervisor,
    session,
    control: createDirectControl(session),
    async openAs(owner) {
      const other = await open(`state-${owner}`, writeConfiguration(directory, `${owner}.yaml`, `owner: ${owner}\n`))
      opened.push(other)
      return other
    },
    declare,
    plan: () => makeCurrentPlan(session),
    apply,
    async converge(options) {
      const outcome = await apply(options)
      const blocked = outcome.plan.facilities.filter(facility => facility.blocked !== undefined)
      assert.deepEqual(
        { blocked, failed: outcome.failed, notReady: outcome.notReady, undone: outcome.undone },
        { blocked: [], failed: [], notReady: [], undone: [] },
      )
      return outcome
    },
    observe,
    async untilObserved(name, what, isSo) {
      let last = await observe(name)
      const describe = (): string => `${what}; ${name} was last seen so: ${JSON.stringify(last)}`
      const look = async (): Promise<boolean> => {
        last = await observe(name)
        return isSo(last)
      }
      await eventually(describe, look, 3 * patience)
      return last
    },
    async ask(name) {
      const direct = await askDirectly(harness.provider, session, name, patience)
      opened.push(direct.observer)
      return direct
    },
    async definitionPaths(name) {
      const { refresh } = await makePlanRun(session)
      const target = refresh.targets.find(({ facility }) => facility.name === name)
      return (target?.definition?.files ?? []).map(file => file.path)
    },
    [Symbol.dispose]() {
      for (const one of opened) one[Symbol.dispose]()
    },
  }
}

async function askDirectly(provider: Provider, session: Session, name: string, patience: number): Promise<Direct> {
  const { instances, refresh } = await makePlanRun(session)
  const target = refresh.targets.find(({ facility }) => facility.name === name)
  const instance = instances.get('lab')?.instance
  assert.ok(target?.definition && instance, `${name} has no definition: ${target?.problems.join('; ')}`)
  const { facility, definition } = target
  const { service } = facility
  const { type, capabilities } = provider
  const { clock, log } = session
  const open = (): Observer =>
    provider.openObserver(instance, { host: createReadHost({ ...capabilities, provider: type, clock }), clock, log })
  const observer = open()
  return {
    provider,
    instance,
    facility,
    definition,
    observer,
    open,
    async observe() {
      const observed = (await observer.observe([service])).get(service)
      assert.ok(observed, `observe gave no answer for ${service}`)
      return observed
    },
    async act(verb, { signal = new AbortController().signal, onEffect } = {}) {
      const host = createWriteHost({ ...capabilities, provider: type, clock, ...(onEffect && { onEffect }) })
      const results: ActionResult[] = []
      const action = { id: `${name}/${verb}`, verb, service, definition, signal }
      using applier = provider.openApplier(instance, { host, clock, log })
      const applied = applier
        .apply([action], result => results.push(result))
        .catch(error => {
          results.push({ id: action.id, ok: false, error })
        })
      await eventually(`${verb} of ${service} to be reported`, () => results.length > 0, patience)
      await applied
      const [result] = results
      assert.ok(result)
      return result
    },
  }
}

/** Host configuration of its own, so that the machine's doesn't affect the case. */
function writeConfiguration(directory: string, name: string, more = ''): string {
  const file = join(directory, name)
  writeFileSync(file, `apiVersion: reeve/v1\nkind: HostConfiguration\n${more}`)
  return file
}

/** Everything below the directories that a write would change: inodes, sizes, modes, mtimes and ctimes. */
export function snapshot(directories: readonly string[]): Map<string, string> {
  const seen = new Map<string, string>()
  const visit = (path: string): void => {
    const facts = lstatSync(path, { bigint: true })
    seen.set(path, `${facts.ino} ${facts.size} ${facts.mode} ${facts.mtimeNs} ${facts.ctimeNs}`)
    if (facts.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name))
  }
  for (const directory of directories) visit(directory)
  return seen
}

/** Content of a file; empty if it doesn't exist. */
export function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** A zombie counts as dead. */
export function isAlive(pid: number): boolean {
  const state = readProcessFacts(pid)?.state
  return state !== undefined && state !== 'Z' && state !== 'X'
}
