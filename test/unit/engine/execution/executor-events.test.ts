import { expect, test } from 'vitest'
import type { EngineEvent } from '../../../../src/core/contracts/engine-event.ts'
import type { Action, ActionResult } from '../../../../src/core/contracts/provider.ts'
import type { ResolvedFacility } from '../../../../src/core/model/resolved-facility.ts'
import { planRollback } from '../../../../src/core/plan/rollback.ts'
import type { FacilityPlan, Step } from '../../../../src/core/plan/step.ts'
import { createStepBuilder } from '../../../../src/core/plan/step-builder.ts'
import { createExecutor, type Executor } from '../../../../src/engine/execution/executor.ts'
import type { LaneResult } from '../../../../src/engine/execution/lane.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

// Events of the executor, and the actions it hands to others, compared field by field.

interface Bench {
  readonly executor: Executor
  readonly events: EngineEvent[]
  readonly results: LaneResult[]
  readonly actions: Action[]
  /** Actions of others, in the order in which they were taken. */
  readonly storyActions: string[]
}

interface BenchOptions {
  /** Answers an action; absent: every action succeeds at once. */
  answer?(action: Action): Promise<Error | undefined>
  whenReady?(facility: string, signal: AbortSignal, as: string): Promise<void>
  /** Absent: files contain what was written. */
  holds?(path: string): boolean
  /** Throws if the file can't be written. */
  write?(): void
  /** Throws if the policy forbids the file. */
  expectAllowed?(verb: string): void
}

/** Clock that advances by 7 ms at every reading. */
function createBench({ answer, whenReady, holds, write, expectAllowed }: BenchOptions = {}): Bench {
  const [events, results, actions, storyActions]: [EngineEvent[], LaneResult[], Action[], string[]] = [[], [], [], []]
  let time = 0
  const executor = createExecutor({
    async perform(supervisor, batch, report) {
      for (const action of batch) {
        actions.push(action)
        storyActions.push(`${supervisor} ${action.verb} ${action.service}`)
        const error = await answer?.(action)
        const result: ActionResult = error ? { id: action.id, ok: false, error } : { id: action.id, ok: true }
        report(result)
      }
    },
    expectAllowed: (_, { verb }) => expectAllowed?.(verb),
    async writeFile({ path }) {
      write?.()
      storyActions.push(`write ${path}`)
    },
    async removeFile(path) {
      storyActions.push(`remove ${path}`)
    },
    async restoreFile(path) {
      storyActions.push(`restore ${path}`)
    },
    holds: file => holds?.(file.path) ?? true,
    async whenReady(facility, signal, as) {
      storyActions.push(`${facility} ready as ${as}`)
      await whenReady?.(facility, signal, as)
    },
    now() {
      time += 7
      return time
    },
    concurrency: 2,
    listener: event => events.push(event),
    settled: result => results.push(result),
  })
  return { executor, events, results, actions, storyActions }
}

function planFor(name: string, fill: (chain: ReturnType<typeof createStepBuilder>) => void): FacilityPlan {
  const chain = createStepBuilder(name)
  fill(chain)
  return { name, supervisor: 'alpha', service: `${name}d`, change: 'change', steps: chain.steps }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise(resolve => setImmediate(resolve))
}

function describe(event: EngineEvent): unknown {
  if (event.type === 'step-started') return ['started', event.facility, event.step.id, placeOf(event.at)]
  if (event.type !== 'step-finished') return event
  const { facility, step, at, result, duration, error } = event
  return [result, facility, step.id, placeOf(at), duration, error?.message]
}

function placeOf({ supervisor, service }: { readonly supervisor: string; readonly service: string }): string {
  return `${supervisor}/${service}`
}

const old = { supervisor: 'beta', service: 'olden' }

test('a step reports its begin and its end, with place, duration and cause of failure', async () => {
  const { executor, events } = createBench({
    answer: async ({ verb }) => (verb === 'enable' ? new Error('no') : undefined),
  })
  const plan = planFor('web', chain => {
    chain.add('stop', 'moved', { target: old })
    chain.add('enable', 'new')
    chain.add('start', 'new')
  })
  executor.submit([{ plan }])
  await executor.idle()
  expect(events.map(describe)).toEqual([
    ['started', 'web', 'web/stop@beta/olden', 'beta/olden'],
    ['done', 'web', 'web/stop@beta/olden', 'beta/olden', 7, undefined],
    ['started', 'web', 'web/enable', 'alpha/webd'],
    ['failed', 'web', 'web/enable', 'alpha/webd', 7, 'no'],
    ['skipped', 'web', 'web/start', 'alpha/webd', 7, undefined],
  ])
})

test('a lane ends with its plan, resolved facility and result', async () => {
  const { executor, results } = createBench({
    answer: async ({ service }) => (service === 'badd' ? new Error('no') : undefined),
  })
  const stop = (name: string): FacilityPlan => planFor(name, chain => chain.add('stop', 'running'))
  const [good, bad, removed] = [stop('good'), stop('bad'), stop('removed')]
  const [goodTarget, badTarget] = [resolveFacility({ name: 'good' }), resolveFacility({ name: 'bad' })]
  executor.submit([{ plan: good, target: goodTarget }, { plan: bad, target: badTarget }, { plan: removed }])
  await executor.idle()
  expect(results).toEqual([
    { plan: good, target: goodTarget, result: 'done' },
    { plan: bad, target: badTarget, result: 'failed', error: new Error('no') },
    { plan: removed, result: 'done' },
  ])
})

const given = 'given up: something newer is to be done about it'

test.each([
  ['by a caller', (executor: Executor) => executor.abort('web'), given],
  ['because Reeve ends', (executor: Executor) => executor.end(), 'given up: Reeve is ending'],
])('E6: a lane aborted %s ends as aborted, without a rollback', async (_who, giveUp, message) => {
  const { executor, results, storyActions } = createBench({ whenReady: (_name, signal) => aborted(signal) })
  const target = resolveFacility({ name: 'web' })
  const moving = planFor('web', chain => {
    chain.add('stop', 'moved', { target: old })
    chain.add('start', 'moved')
    chain.add('remove', 'moved', { target: old })
  })
  const rollback = planRollback(moving, target)
  if (!rollback) throw new Error('expected a rollback')
  const plan = { ...moving, rollback }
  executor.submit([{ plan, target }])
  await settle()
  const settled = executor.settled('web')
  giveUp(executor)
  expect((await settled)?.message).toBe(message)
  expect(results).toEqual([{ plan, target, result: 'aborted', error: await settled }])
  expect(storyActions).toEqual(['beta stop olden', 'alpha start webd', 'web ready as moved'])
})

test('an abort waits for an action that the provider has begun, but not for a queued one', async () => {
  let end = (): void => {}
  const { executor, results, actions, storyActions } = createBench({
    answer: ({ verb }) => (verb === 'restart' ? new Promise(resolve => (end = () => resolve(undefined))) : none()),
  })
  executor.submit([{ plan: planFor('web', chain => chain.add('restart', 'out-of-date')) }])
  await settle()
  executor.abort('web')
  await settle()
  expect([executor.isBusy('web'), results, actions[0]?.signal.aborted]).toEqual([true, [], true])
  end()
  await executor.idle()
  expect(results.map(({ result }) => result)).toEqual(['done'])
  expect(storyActions).toEqual(['alpha restart webd'])
})

test.each([
  [(signal: AbortSignal) => new Error('not waited for', { cause: signal.reason }), given],
  [() => new Error('its program exited with code 3'), `${given}: its program exited with code 3`],
])('an aborted step tells why it was given up, whatever the provider reports', async (errorFor, message) => {
  const { executor, events, results } = createBench({
    answer: ({ signal }) =>
      new Promise(resolve => signal.addEventListener('abort', () => resolve(errorFor(signal)), { once: true })),
  })
  executor.submit([{ plan: planFor('web', chain => chain.add('restart', 'out-of-date')) }])
  await settle()
  executor.abort('web')
  await executor.idle()
  expect(events.map(describe).at(-1)).toEqual(['aborted', 'web', 'web/restart', 'alpha/webd', 7, message])
  expect(results.map(({ error }) => error?.message)).toEqual([message])
})

test('only steps that bring a service up wait for its dependencies', async () => {
  const { executor, storyActions } = createBench()
  const target = resolveFacility({ name: 'web', dependsOn: ['db', 'cache'] })
  const run = async (fill: (chain: ReturnType<typeof createStepBuilder>) => void): Promise<string[]> => {
    executor.submit([{ plan: planFor('web', fill), target }])
    await executor.idle()
    return storyActions.splice(0)
  }
  expect(await run(chain => chain.add('stop', 'running'))).toEqual(['alpha stop webd'])
  expect(await run(chain => chain.add('disable', 'enablement'))).toEqual(['alpha disable webd'])
  expect(await run(chain => chain.add('start', 'stopped'))).toEqual([
    'db ready as dependency',
    'cache ready as dependency',
    'alpha start webd',
  ])
})

test('activity names the running step and what it waits for', async () => {
  let go = (): void => {}
  const held = (): Promise<void> => new Promise(resolve => (go = resolve))
  const { executor, events } = createBench({
    answer: async () => {
      await held()
      return undefined
    },
    whenReady: held,
  })
  const target: ResolvedFacility = resolveFacility({ name: 'web', dependsOn: ['db'] })
  const plan = planFor('web', chain => {
    chain.add('stop', 'running')
    chain.add('start', 'stopped')
  })
  const said: (string | undefined)[] = []
  executor.submit([{ plan, target }])
  for (let turn = 0; turn < 4; turn += 1) {
    await settle()
    said.push(executor.activity('web'))
    go()
  }
  await executor.idle()
  expect(said).toEqual(['stop', 'waits for db to become ready', 'start', undefined])
  expect(events.filter(({ type }) => type === 'waiting')).toEqual([
    { type: 'waiting', facility: 'web', until: 'db to become ready' },
  ])
})

test('files are written, removed and restored by path, without the provider', async () => {
  const { executor, storyActions, results } = createBench()
  const target = resolveFacility({ name: 'web', files: [{ path: '/etc/web.conf', content: '' }] })
  const plan = planFor('web', chain => {
    chain.add('write-file', 'file-changed', { path: '/etc/web.conf' })
    chain.add('remove-file', 'file-dropped', { path: '/etc/old.conf' })
    chain.add('restore-file', 'file-dropped', { path: '/etc/adopted.conf' })
  })
  executor.submit([{ plan, target }])
  await executor.idle()
  expect(storyActions).toEqual(['write /etc/web.conf', 'remove /etc/old.conf', 'restore /etc/adopted.conf'])
  executor.submit([{ plan: planFor('web', chain => chain.add('write-file', 'new', { path: '/etc/other' })), target }])
  await executor.idle()
  expect(results[1]?.error?.message).toBe("web/write-file:/etc/other names a file that the facility doesn't have")
  expect(storyActions).toHaveLength(3)
})

test('only install gets the definition', async () => {
  const { executor, actions } = createBench()
  const target = resolveFacility({ name: 'web' })
  const plan = planFor('web', chain => {
    chain.add('install', 'new')
    chain.add('start', 'new')
  })
  executor.submit([{ plan, target }])
  await executor.idle()
  expect(target.definition).toBeDefined()
  expect(actions.map(({ id, verb, service, definition }) => [id, verb, service, definition])).toEqual([
    ['web/install', 'install', 'webd', target.definition],
    ['web/start', 'start', 'webd', undefined],
  ])
})

test('a step does not wait for a step of its own lane, nor for one that is in no lane', async () => {
  const { executor, events, results } = createBench()
  const plan = planFor('web', chain => {
    chain.add('stop', 'running')
    chain.add('start', 'stopped')
  })
  const needing = (step: Step): Step => ({ ...step, needs: [...step.needs, 'web/stop', 'other/stop'] })
  executor.submit([{ plan: { ...plan, steps: plan.steps.map(needing) } }])
  await executor.idle()
  expect(results.map(({ result }) => result)).toEqual(['done'])
  expect(events.filter(({ type }) => type === 'waiting')).toEqual([])
})

test('settled and idle return at once if there is no lane', async () => {
  const { executor } = createBench()
  expect(await executor.settled('web')).toBeUndefined()
  expect(await executor.idle()).toBeUndefined()
  expect(executor.activity('web')).toBeUndefined()
})

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

async function none(): Promise<undefined> {
  return undefined
}

// PITFALLS 24: a program that writes its configuration as it ends.

const configured = resolveFacility({ name: 'web', files: [{ path: '/etc/web', content: 'new' }] })

function restarting(): FacilityPlan {
  return planFor('web', chain => {
    chain.add('write-file', 'file-changed', { path: '/etc/web' })
    chain.add('restart', 'file-changed')
  })
}

test('PITFALLS 24: a file that the program overwrote as it ended is written again while it is stopped', async () => {
  let hasFile = true
  const bench = createBench({
    async answer({ verb }) {
      if (verb === 'restart') hasFile = false
      if (verb === 'stop') hasFile = true // the file now keeps its content
      return undefined
    },
    holds: () => hasFile,
  })
  bench.executor.submit([{ plan: restarting(), target: configured }])
  await settle()
  expect(bench.results[0]?.result).toBe('done')
  expect(bench.storyActions).toEqual([
    'write /etc/web',
    'alpha restart webd',
    'alpha stop webd',
    'write /etc/web',
    'alpha start webd',
  ])
  const reasons = bench.events.flatMap(event => (event.type === 'step-finished' ? event.step.reason : []))
  expect(reasons).toEqual(['file-changed', 'file-changed', 'overwritten', 'overwritten', 'overwritten'])
})

test('PITFALLS 24: a program that overwrites the file all the same is named as its writer', async () => {
  const bench = createBench({ holds: () => false })
  bench.executor.submit([{ plan: restarting(), target: configured }])
  await settle()
  expect(bench.results[0]?.result).toBe('failed')
  expect(bench.results[0]?.error?.message).toContain('web writes /etc/web itself')
})

test('PITFALLS 24: a service stopped for a write is started again, even if the write fails', async () => {
  let writes = 0
  const bench = createBench({
    holds: () => false,
    write() {
      writes += 1
      if (writes > 1) throw new Error('the disk is full')
    },
  })
  bench.executor.submit([{ plan: restarting(), target: configured }])
  await settle()
  expect(bench.results[0]?.error?.message).toBe('the disk is full')
  expect(bench.storyActions.at(-1)).toBe('alpha start webd')
})

test('PITFALLS 24: E4: a service of unmanaged state is never stopped for a write', async () => {
  const bench = createBench({ holds: () => false })
  const target = resolveFacility({ name: 'web', state: 'unmanaged', files: [{ path: '/etc/web', content: 'new' }] })
  bench.executor.submit([{ plan: restarting(), target }])
  await settle()
  expect(bench.storyActions).toEqual(['write /etc/web', 'alpha restart webd'])
  expect(bench.results[0]?.error?.message).toContain('web wrote /etc/web as it ended')
})

test('PITFALLS 24: the new service of a move starts with the declared file, not with what the old one wrote', async () => {
  const bench = createBench({ holds: () => false })
  const plan = planFor('web', chain => {
    chain.add('write-file', 'new', { path: '/etc/web' })
    chain.add('stop', 'moved', { target: old })
    chain.add('start', 'moved')
  })
  bench.executor.submit([{ plan, target: configured }])
  await settle()
  expect(bench.storyActions).toEqual(['write /etc/web', 'beta stop olden', 'write /etc/web', 'alpha start webd'])
})

test('S3: PITFALLS 24: a file that the policy forbids by then is not written again', async () => {
  let isForbidden = false
  const bench = createBench({
    holds: () => false,
    answer: async ({ verb }) => {
      if (verb === 'stop') isForbidden = true
      return undefined
    },
    expectAllowed() {
      if (isForbidden) throw new Error('the policy forbids it')
    },
  })
  const plan = planFor('web', chain => {
    chain.add('stop', 'moved', { target: old })
    chain.add('start', 'moved')
  })
  bench.executor.submit([{ plan, target: configured }])
  await settle()
  expect(bench.storyActions.filter(action => action.startsWith('write'))).toEqual([])
  expect(bench.results[0]?.error?.message).toContain('the policy forbids it')
})
