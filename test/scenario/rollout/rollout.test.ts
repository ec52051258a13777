import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { createRolloutLab, failing, sleeper } from '../../labs/rollout-lab.ts'

const ways = { signal: new AbortController().signal, listener() {} }

test('E22: a revision that fails is rolled back to the newest healthy one, and what it did not touch goes on', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ db: sleeper(1), web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const before = await controller.status('db')
  const bad = lab.declare({ db: sleeper(1), web: failing, worker: sleeper(1) })
  await controller.control.sync()
  const source = await lab.outcome(controller, bad, 'RolledBack')
  expect(source.revision?.commit).toBe(first)
  expect(source.rollout?.message).toMatch(/^web: /)
  await controller.ready('web')
  expect((await lab.host.observe('web')).state).toBe('running')
  expect(await controller.status('worker')).toBeUndefined()
  expect((await controller.status('db'))?.pid).toBe(before?.pid)
  expect(controller.log.filter(({ message }) => message.includes('was rolled back'))).toHaveLength(1)
  expect(lab.host.history().filter(({ reason }) => reason === 'rolled-back')).not.toEqual([])
  expect(lab.revisions(controller.session).map(({ outcome, isInForce }) => [outcome, isInForce])).toEqual([
    ['RolledBack', false],
    ['Healthy', true],
  ])
})

test('E22: what has failed is not tried again, in whichever commit, until something else was healthy or a person says so', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const bad = lab.declare({ web: failing })
  await controller.control.sync()
  await lab.outcome(controller, bad, 'RolledBack')
  const again = lab.git.commit({}, { message: 'The same again' })
  expect(await controller.control.sync()).toMatchObject({
    revision: { commit: first },
    waiting: { commit: again, message: expect.stringContaining('the same content') },
  })
  await controller.control.sync({ retries: true, waits: true })
  expect(lab.outcomes(controller.session)).toBe('Healthy RolledBack RolledBack')
  const good = lab.declare({ web: sleeper(2) })
  await controller.control.sync({ waits: true })
  const last = lab.declare({ web: failing })
  await controller.control.sync({ waits: true })
  expect(lab.outcomes(controller.session)).toBe('Healthy RolledBack RolledBack Healthy RolledBack')
  expect((await controller.control.status()).source).toMatchObject({
    revision: { commit: good },
    rollout: { commit: last },
  })
})

test('a newer revision overtakes the one that is under way', async () => {
  await using lab = createRolloutLab({ minHealthyTime: '1h', healthyDeadline: '2h', progressDeadline: '2h' })
  const slow = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, slow, 'Progressing')
  const next = lab.declare({ web: sleeper(2) })
  await controller.control.sync()
  await lab.outcome(controller, next, 'Progressing')
  expect(lab.outcomes(controller.session)).toBe('Superseded Progressing')
})

test('a first revision has no way back: it stays, is tried again, and may still become healthy', async () => {
  await using lab = createRolloutLab()
  const flag = lab.host.path('flag')
  const script = `test -e ${flag} || exit 3; exec sleep 1000000`
  const first = lab.declare({ web: { process: { command: ['/bin/sh', '-c', script] } } })
  const controller = await lab.run()
  const source = await lab.outcome(controller, first, 'Failed')
  expect(source.rollout?.message).toContain('there is no healthy revision to go back to')
  expect(source.revision?.commit).toBe(first)
  lab.host.write('../flag', '')
  await lab.outcome(controller, first, 'Healthy')
})

test('a first revision that takes longer than its deadline fails, and is healthy once it is ready all the same', async () => {
  await using lab = createRolloutLab({ healthyDeadline: '2s' })
  const slow = { process: { command: ['/bin/sleep', '1000000'] }, readySeconds: 4 }
  const first = lab.declare({ web: slow })
  const controller = await lab.run()
  const source = await lab.outcome(controller, first, 'Failed')
  expect(source.rollout?.message).toContain('web did not become healthy within 2 s')
  await lab.outcome(controller, first, 'Healthy')
})

test('a revision whose manifests are not valid does not come into force', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const invalid = lab.declare({ web: { process: { command: [] } } })
  await controller.control.sync()
  const source = await lab.outcome(controller, invalid, 'Failed')
  expect(source.revision?.commit).toBe(first)
  expect(source.rollout?.message).toMatch(/^its manifests are not valid: web\.yaml:/)
  expect(controller.steps().filter(step => step.startsWith('web/'))).toEqual(['web/install', 'web/enable', 'web/start'])
  const mended = lab.declare({ web: sleeper(3) })
  await controller.control.sync({ waits: true })
  expect((await controller.control.status()).source?.revision?.commit).toBe(mended)
})

test.each([
  ['the host', { onFailure: 'hold' }, {}],
  ['a facility', {}, { rollout: { onFailure: 'hold' } }],
])('a failed revision that %s wants held stays, and nothing more of it begins', async (_who, host, facility) => {
  await using lab = createRolloutLab({ strategy: 'one-by-one', ...host })
  const first = lab.declare({ a: sleeper(1), b: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const bad = lab.declare({ a: { ...failing, ...facility }, b: sleeper(2) })
  await controller.control.sync()
  const source = await lab.outcome(controller, bad, 'Failed')
  expect(source.revision?.commit).toBe(bad)
  expect(source.rollout?.message).toContain('nothing more of it is begun')
  await controller.control.apply({ fetch: false }, ways)
  expect(controller.steps().filter(step => step === 'b/restart')).toEqual([])
  // A later one goes on.
  const next = lab.declare({ a: sleeper(3), b: sleeper(3) })
  await controller.control.sync()
  await lab.outcome(controller, next, 'Healthy')
})

test('with onFailure continue, a failed revision is carried out all the same', async () => {
  await using lab = createRolloutLab({ onFailure: 'continue', strategy: 'one-by-one' })
  const first = lab.declare({ a: sleeper(1), b: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const bad = lab.declare({ a: failing, b: sleeper(2) })
  await controller.control.sync()
  await lab.outcome(controller, bad, 'Failed')
  await eventually('b to be changed', () => controller.steps().includes('b/restart'))
})

test('a revision that is applied without a controller is recorded with its plan and steps', async () => {
  await using lab = createRolloutLab({ minHealthyTime: '10ms' })
  lab.declare({ web: sleeper(1) })
  using session = await lab.host.open()
  await createDirectControl(session).apply({}, ways)
  expect(lab.revisions(session)).toMatchObject([{ outcome: 'Healthy', plan: { add: 1, change: 0 }, steps: 3 }])
})

test('a revision that the removal guard holds back is stalled, and the status names the way out', async () => {
  await using lab = createRolloutLab()
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const all = Object.fromEntries(names.map(name => [name, sleeper(1)]))
  const first = lab.declare(all)
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const one = lab.declare({ a: sleeper(1) })
  await controller.control.sync()
  await eventually('the guard to be named', async () => {
    const { source } = await controller.control.status()
    return source?.rollout?.commit === one && source.rollout.isStalled === true
  })
  expect((await controller.control.status()).source?.rollout?.message).toMatch(/^b: 5 of the 6 .* --allow-removals 5`/)
  await controller.control.apply({ fetch: false, allowRemovals: 5 }, ways)
  await lab.outcome(controller, one, 'Healthy')
})
