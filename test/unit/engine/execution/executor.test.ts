import { expect, test } from 'vitest'
import type { EngineEvent } from '../../../../src/core/contracts/engine-event.ts'
import type { Action } from '../../../../src/core/contracts/provider.ts'
import type { ResolvedFacility } from '../../../../src/core/model/resolved-facility.ts'
import { planRollback } from '../../../../src/core/plan/rollback.ts'
import type { FacilityPlan, Step } from '../../../../src/core/plan/step.ts'
import { createStepBuilder } from '../../../../src/core/plan/step-builder.ts'
import type { Verb } from '../../../../src/core/plan/verb.ts'
import { createExecutor, type Executor } from '../../../../src/engine/execution/executor.ts'
import type { LaneResult } from '../../../../src/engine/execution/lane.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

/** Executor whose actions end when the test says so. */
function createBench({ concurrency = 64 }: { concurrency?: number } = {}) {
  const batches: string[][] = []
  const pending = new Map<string, (error?: Error) => void>()
  const events: EngineEvent[] = []
  const results: LaneResult[] = []
  const notReady = new Map<string, Error>()
  const files: string[] = []
  const executor: Executor = createExecutor({
    async perform(_supervisor, actions, report) {
      batches.push(actions.map(action => action.id))
      await Promise.all(
        actions.map(action =>
          begin(action, error => report(error ? { id: action.id, ok: false, error } : { id: action.id, ok: true })),
        ),
      )
    },
    async writeFile(file) {
      files.push(file.path)
    },
    async removeFile(path) {
      files.push(`-${path}`)
    },
    restoreFile: async () => {},
    holds: () => true,
    async whenReady(name) {
      const error = notReady.get(name)
      if (error) throw error
    },
    now: () => 0,
    concurrency,
    listener: event => events.push(event),
    settled: result => results.push(result),
  })

  function begin({ id, signal }: Action, done: (error?: Error) => void): Promise<void> {
    return new Promise(resolve => {
      const end = (error?: Error): void => {
        pending.delete(id)
        done(error)
        resolve()
      }
      pending.set(id, end)
      signal.addEventListener('abort', () => end(new Error('given up')), { once: true })
    })
  }

  return {
    executor,
    batches,
    events,
    results,
    notReady,
    files,
    /** Actions that have begun. */
    pending: () => [...pending.keys()].sort(),
    async end(id: string, error?: Error) {
      await settle()
      const finish = pending.get(id)
      if (!finish) throw new Error(`${id} has not begun; these have: ${[...pending.keys()].join(', ')}`)
      finish(error)
      await settle()
    },
    outcomes: () =>
      events.flatMap(event => (event.type === 'step-finished' ? [`${event.step.id} ${event.result}`] : [])),
  }
}

/** Runs everything that doesn't wait for an action. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise(resolve => setImmediate(resolve))
}

function planFor(name: string, verbs: readonly Verb[], needs: Readonly<Record<string, string>> = {}): FacilityPlan {
  const chain = createStepBuilder(name)
  for (const verb of verbs) chain.add(verb, 'new')
  const steps = chain.steps.map((step): Step => {
    const need = needs[step.verb]
    return need === undefined ? step : { ...step, needs: [...step.needs, need] }
  })
  return { name, supervisor: 'alpha', service: name, change: 'change', steps }
}

function moveOf(target: ResolvedFacility): { plan: FacilityPlan; target: ResolvedFacility } {
  const chain = createStepBuilder('web')
  const old = { supervisor: 'beta', service: 'web' }
  chain.add('install', 'new')
  chain.add('stop', 'moved', { target: old })
  chain.add('start', 'moved')
  chain.add('remove', 'moved', { target: old })
  const plan = { name: 'web', supervisor: 'alpha', service: 'web', change: 'change', steps: chain.steps } as const
  const rollback = planRollback(plan, target)
  return { plan: { ...plan, ...(rollback && { rollback }) }, target }
}

test('actions that become due at the same moment go to the provider in one batch', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('a', ['install', 'start']) }, { plan: planFor('b', ['install', 'start']) }])
  await settle()
  expect(bench.batches).toEqual([['a/install', 'b/install']])
  await bench.end('a/install')
  await bench.end('b/install')
  expect(bench.batches).toEqual([['a/install', 'b/install'], ['a/start'], ['b/start']])
})

test('E5: a waiting lane delays no other lane', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('slow', ['stop']) }, { plan: planFor('other', ['install', 'start']) }])
  await bench.end('other/install')
  await bench.end('other/start')
  expect(bench.results.map(({ plan, result }) => [plan.name, result])).toEqual([['other', 'done']])
  expect(bench.executor.isBusy('slow')).toBe(true)
})

test('E13: a step waits for a step of another lane, and fails if that one fails', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('db', ['stop'], { stop: 'web/stop' }) }, { plan: planFor('web', ['stop']) }])
  await settle()
  expect(bench.pending()).toEqual(['web/stop'])
  await bench.end('web/stop', new Error('it clings to life'))
  expect(bench.outcomes()).toEqual(['web/stop failed', 'db/stop failed'])
  expect(bench.results[1]?.error?.message).toContain('db/stop needs web/stop, which was tried and failed')
})

test('E13: a step continues once its need is done, and until then reports what it waits for', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('db', ['stop'], { stop: 'web/stop' }) }, { plan: planFor('web', ['stop']) }])
  await settle()
  expect(bench.executor.activity('db')).toBe('waits for web to be stopped')
  await bench.end('web/stop')
  await bench.end('db/stop')
  expect(bench.outcomes()).toEqual(['web/stop done', 'db/stop done'])
})

test('E13: a step fails if its need was aborted', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('db', ['stop'], { stop: 'web/stop' }) }, { plan: planFor('web', ['stop']) }])
  await settle()
  bench.executor.abort('web')
  await settle()
  expect(bench.results[1]?.error?.message).toBe('db/stop needs web/stop, which was aborted')
})

test('E13: a step fails if its need was in a lane that has already ended', async () => {
  const bench = createBench()
  bench.executor.submit([
    { plan: planFor('db', ['install', 'stop'], { stop: 'web/stop' }) },
    { plan: planFor('web', ['stop']) },
  ])
  await bench.end('web/stop', new Error('it clings to life'))
  expect(bench.executor.isBusy('web')).toBe(false)
  await bench.end('db/install')
  expect(bench.pending()).toEqual([])
  expect(bench.outcomes()).toEqual(['web/stop failed', 'db/install done', 'db/stop failed'])
})

test('the steps after a failed step are skipped', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('web', ['install', 'enable', 'start']) }])
  await bench.end('web/install', new Error('no space'))
  expect(bench.outcomes()).toEqual(['web/install failed', 'web/enable skipped', 'web/start skipped'])
})

test('E6: an aborted lane ends at once, even while it waits', async () => {
  const bench = createBench({ concurrency: 1 })
  bench.executor.submit([{ plan: planFor('slow', ['stop']) }, { plan: planFor('next', ['start']) }])
  await settle()
  expect(bench.pending()).toEqual(['slow/stop'])
  bench.executor.abort('next')
  await settle()
  expect(bench.executor.isBusy('next')).toBe(false)
  expect(bench.outcomes()).toEqual(['next/start aborted'])
  bench.executor.submit([{ plan: planFor('next', ['restart']) }])
  await bench.end('slow/stop')
  expect(bench.pending()).toEqual(['next/restart'])
})

test('a busy facility is left out, and reported as busy', async () => {
  const bench = createBench()
  expect([...bench.executor.submit([{ plan: planFor('web', ['start']) }])]).toEqual(['web'])
  expect([...bench.executor.submit([{ plan: planFor('web', ['stop']) }])]).toEqual([])
  expect([...bench.executor.submit([{ plan: planFor('idle', []) }])]).toEqual([])
  await bench.end('web/start')
  expect(bench.executor.isBusy('web')).toBe(false)
})

test('E16: nothing begins after the executor has ended', async () => {
  const bench = createBench()
  bench.executor.submit([{ plan: planFor('web', ['install', 'start']) }])
  await settle()
  bench.executor.end()
  await bench.executor.idle()
  expect([...bench.executor.submit([{ plan: planFor('db', ['start']) }])]).toEqual([])
  expect(bench.outcomes()).toEqual(['web/install aborted', 'web/start skipped'])
})

test('a start waits until its dependencies are ready', async () => {
  const bench = createBench()
  bench.notReady.set('db', new Error('it is declared stopped'))
  const target = resolveFacility({ name: 'web', dependsOn: ['db'] })
  bench.executor.submit([{ plan: planFor('web', ['start']), target }])
  await settle()
  expect(bench.batches).toEqual([])
  expect(bench.results[0]?.error?.message).toBe('db did not become ready: it is declared stopped')
})

test('E14: a failed move is rolled back: the new service is stopped and disabled, the old one started', async () => {
  const bench = createBench()
  bench.executor.submit([moveOf(resolveFacility({ name: 'web' }))])
  await bench.end('web/install')
  await bench.end('web/stop@beta/web')
  await bench.end('web/start', new Error('no such program'))
  await bench.end('web/stop')
  await bench.end('web/disable')
  await bench.end('web/start@beta/web')
  expect(bench.results[0]?.result).toBe('failed')
  expect(bench.results[0]?.error?.message).toBe('the move failed, and beta/web runs again: no such program')
})

test('E14: a move whose new service does not become ready is rolled back', async () => {
  const bench = createBench()
  bench.notReady.set('web', new Error('its health check fails'))
  bench.executor.submit([moveOf(resolveFacility({ name: 'web', enabled: false }))])
  for (const id of ['web/install', 'web/stop@beta/web', 'web/start', 'web/stop', 'web/start@beta/web'])
    await bench.end(id)
  expect(bench.results[0]?.error?.message).toContain('its health check fails')
  expect(bench.outcomes()).not.toContain('web/remove@beta/web done')
})

test.each([
  ['that failed before it touched the old service', 'web/install', resolveFacility({ name: 'web' })],
  ['of a facility that is not declared running', 'web/start', resolveFacility({ name: 'web', state: 'unmanaged' })],
])('E14: a move %s is not rolled back', async (_what, failing, target) => {
  const bench = createBench()
  bench.executor.submit([moveOf(target)])
  for (const id of ['web/install', 'web/stop@beta/web', 'web/start']) {
    await bench.end(id, id === failing ? new Error('no luck') : undefined)
    if (id === failing) break
  }
  expect(bench.results[0]?.error?.message).toBe('no luck')
  expect(bench.pending()).toEqual([])
})

test('E14: a failed rollback reports both errors', async () => {
  const bench = createBench()
  bench.executor.submit([moveOf(resolveFacility({ name: 'web' }))])
  for (const id of ['web/install', 'web/stop@beta/web']) await bench.end(id)
  await bench.end('web/start', new Error('no luck'))
  await bench.end('web/stop', new Error('no hope'))
  expect(bench.results[0]?.error?.message).toBe('no luck; and the old service could not be put back: no hope')
})

test('an action without a result from its provider has failed', async () => {
  const results: LaneResult[] = []
  const executor = createExecutor({
    perform: async () => {},
    writeFile: async () => {},
    removeFile: async () => {},
    restoreFile: async () => {},
    holds: () => true,
    whenReady: async () => {},
    now: () => 0,
    concurrency: 1,
    listener() {},
    settled: result => results.push(result),
  })
  executor.submit([{ plan: planFor('web', ['start']) }])
  await executor.idle()
  expect(results[0]?.error?.message).toContain('said nothing of the outcome')
})

function ending(verb: Verb, reason: Step['reason']): FacilityPlan {
  const chain = createStepBuilder('web')
  chain.add(verb, reason)
  chain.add('write-file', reason, { path: '/etc/web' })
  chain.add('disable', 'enablement')
  chain.add('stop', 'running')
  return { name: 'web', supervisor: 'lab', service: 'web', change: 'change', steps: chain.steps }
}

test('S8: steps that end a service run even after a failed step, and the lane fails', async () => {
  const bench = createBench()
  const target = resolveFacility({ name: 'web', state: 'stopped', enabled: false })
  bench.executor.submit([{ plan: ending('install', 'definition-changed'), target }])
  await bench.end('web/install', new Error('the disk is full'))
  await bench.end('web/disable')
  await bench.end('web/stop')
  expect(bench.files).toEqual([])
  expect(bench.results).toMatchObject([{ result: 'failed', error: { message: 'the disk is full' } }])
})

test('a service that only the failed step would have made ours is not ended', async () => {
  const bench = createBench()
  const target = resolveFacility({ name: 'web', state: 'stopped', enabled: false, adopt: true })
  bench.executor.submit([{ plan: ending('install', 'adopted'), target }])
  await bench.end('web/install', new Error('the disk is full'))
  expect(bench.pending()).toEqual([])
  expect(bench.results).toMatchObject([{ result: 'failed' }])
})

test('a service that is to run is not stopped because of a failed step', async () => {
  const bench = createBench()
  const chain = createStepBuilder('web')
  chain.add('install', 'definition-changed')
  chain.add('stop', 'definition-changed')
  chain.add('start', 'definition-changed')
  const plan: FacilityPlan = { name: 'web', supervisor: 'lab', service: 'web', change: 'change', steps: chain.steps }
  bench.executor.submit([{ plan, target: resolveFacility({ name: 'web' }) }])
  await bench.end('web/install', new Error('the disk is full'))
  expect(bench.pending()).toEqual([])
  expect(bench.results).toMatchObject([{ result: 'failed' }])
})
