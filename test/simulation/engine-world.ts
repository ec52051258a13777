import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Action } from '../../src/core/provider.ts'
import type { Plan } from '../../src/core/step.ts'
import { makeCurrentPlan } from '../../src/engine/apply.ts'
import { createReconciliation } from '../../src/engine/reconciliation.ts'
import { openSession, type Session } from '../../src/engine/session.ts'
import { createSupervisorWatch } from '../../src/engine/supervisor-watch.ts'
import { createWakeUp } from '../../src/engine/wake-up.ts'
import { createManualClock, type ManualClock } from '../manual-clock.ts'
import { createMeddledProvider, type Meddled } from '../meddled-provider.ts'
import { createSimulatedSupervisor, type SimulatedSupervisor } from './simulated-supervisor.ts'

/** The controller's reconciliation over a simulated supervisor, on a clock in the test's hands. */
export interface EngineWorld extends AsyncDisposable {
  readonly clock: ManualClock
  readonly meddled: Meddled
  readonly supervisor: SimulatedSupervisor
  /** Of the supervisors `alpha` and `beta`. */
  directory(supervisor: string): string
  path(name: string): string
  /** Writes the manifest of a facility, or deletes it; the watch may notice, or not. */
  declare(name: string, spec: object | undefined, isNoticed: boolean): void
  /** What has been handed to the provider, as it was then. */
  readonly acts: Act[]
  /** `working`: those since which something has been done. */
  readonly passes: { working: number; all: number }
  plan(): Promise<Plan>
  readonly session: Session
}

export interface Act {
  readonly verb: Action['verb']
  /** `DIRECTORY/SERVICE`. */
  readonly key: string
  readonly at: number
}

/** Of the controller, in ms. */
const RESYNC = 30_000

export async function createEngineWorld(): Promise<EngineWorld> {
  const root = mkdtempSync(join(tmpdir(), 'reeve-engine-world-'))
  const path = (...names: string[]): string => join(root, ...names)
  const directory = (supervisor: string): string => path(`supervisor-${supervisor}`)
  for (const name of ['manifests', 'state', 'files', 'supervisor-alpha', 'supervisor-beta']) mkdirSync(path(name))
  const write = (name: string, document: object): void =>
    writeFileSync(path('manifests', `${name}.yaml`), JSON.stringify({ apiVersion: 'reeve/v1', ...document }))
  writeFileSync(path('reeve.yaml'), 'apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: alpha\n')
  for (const name of ['alpha', 'beta']) {
    const spec = { type: 'simulated', simulated: { directory: directory(name) } }
    write(`supervisor-${name}`, { kind: 'Supervisor', metadata: { name }, spec })
  }

  const clock = createManualClock()
  let pid = 0
  const supervisor = createSimulatedSupervisor(clock, {
    start() {
      pid += 1
      return { pid, async stop() {} }
    },
  })
  const acts: Act[] = []
  const noting = {
    ...supervisor.provider,
    apply(...[actions, instance, host, report]: Parameters<SimulatedSupervisor['provider']['apply']>) {
      for (const { verb, service, signal } of actions) {
        if (!signal.aborted) acts.push({ verb, key: `${instance.options.directory}/${service}`, at: clock.elapsed() })
      }
      return supervisor.provider.apply(actions, instance, host, report)
    },
  }
  const meddled = createMeddledProvider(noting, clock)
  const session = await openSession({
    config: path('reeve.yaml'),
    directory: path('manifests'),
    stateDir: path('state'),
    insecurePermissions: true,
    extraProviders: [meddled.provider],
    clock,
  })
  const wake = createWakeUp(clock)
  const passes = { working: 0, all: 0 }
  const reconciliation = createReconciliation(session, { wake, listener() {}, allowRemovals: 1_000, drifted() {} })
  const watch = createSupervisorWatch((name, service) => {
    const facility = service === undefined ? undefined : reconciliation.facilityAt(name, service)
    if (facility === undefined) wake.full()
    else wake.facility(facility)
  }, session.log)
  const ending = new AbortController()
  const over = reconcile(ending.signal).catch(error => {
    if (!ending.signal.aborted) throw error
  })

  /** As the controller's own loop. */
  async function reconcile(signal: AbortSignal): Promise<void> {
    let noted = 0
    const resync = (): void => {
      wake.manifests()
      clock.after(RESYNC, resync)
    }
    resync()
    while (!signal.aborted) {
      const due = await wake.next(signal)
      if (acts.length > noted) passes.working += 1
      noted = acts.length
      await reconciliation.pass(due)
      watch.follow(reconciliation.instances())
      passes.all += 1
    }
  }

  return {
    clock,
    meddled,
    supervisor,
    directory,
    path: name => path('files', name),
    declare(name, spec, isNoticed) {
      if (spec) write(name, { kind: 'Facility', metadata: { name }, spec })
      else rmSync(path('manifests', `${name}.yaml`), { force: true })
      if (isNoticed) wake.manifests()
    },
    acts,
    passes,
    plan: () => makeCurrentPlan(session),
    session,
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the test is over'))
      const ended = Promise.all([over, reconciliation.end()])
      // What still waits for the clock gets it.
      await clock.advance(10_000)
      await ended
      watch[Symbol.dispose]()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
