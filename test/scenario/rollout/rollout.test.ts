import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createRolloutLab, failing, sleeper } from '../../labs/rollout-lab.ts'

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
  await controller.control.apply({ fetch: false }, { signal: new AbortController().signal, listener() {} })
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

test('one by one, a facility begins when the one before it is healthy, and none after one that failed', async () => {
  await using lab = createRolloutLab({ strategy: 'one-by-one' })
  const first = lab.declare({ a: sleeper(1), b: sleeper(1), c: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const begun = controller.steps().length
  const bad = lab.declare({ a: sleeper(2), b: failing, c: sleeper(2) })
  await controller.control.sync()
  await lab.outcome(controller, bad, 'RolledBack')
  const steps = controller.steps().slice(begun)
  expect(steps.filter(step => step.startsWith('c/'))).toEqual([])
  expect(steps.slice(0, 2)).toEqual(['a/install', 'a/restart'])
})

test('dependencies become healthy before what depends on them, and a chain takes its turns', async () => {
  await using lab = createRolloutLab({ strategy: { maxUnavailable: 1 } })
  const chain = (number: number) => ({
    a: { ...sleeper(number), dependsOn: ['b'] },
    b: { ...sleeper(number), dependsOn: ['c'] },
    c: sleeper(number),
  })
  const first = lab.declare(chain(1))
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  expect(controller.steps().filter(step => step.endsWith('/start'))).toEqual(['c/start', 'b/start', 'a/start'])
})

test('reeve rollback puts a former revision into force and keeps it there until reeve sync', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  const { control } = controller
  await lab.outcome(controller, first, 'Healthy')
  const second = lab.declare({ web: sleeper(2) })
  await control.sync({ waits: true })
  await expect(control.rollback('1234567')).rejects.toThrow(/no revision 1234567 was tried on this host/)
  expect(await control.rollback()).toMatchObject({ commit: first, isInForce: true })
  await lab.outcome(controller, first, 'Healthy')
  const third = lab.declare({ web: sleeper(3) })
  expect((await control.status()).source).toMatchObject({ revision: { commit: first }, rollout: { isPinned: true } })
  await control.apply({}, { signal: new AbortController().signal, listener() {} })
  expect((await control.status()).source).toMatchObject({ revision: { commit: first }, waiting: { commit: third } })
  await control.rollback(second.slice(0, 8))
  await lab.outcome(controller, second, 'Healthy')
  await control.sync({ waits: true })
  expect((await control.status()).source).toMatchObject({
    revision: { commit: third },
    rollout: { outcome: 'Healthy' },
  })
})

test('a revision after which the repository cannot be reached is rolled back', async () => {
  await using lab = createRolloutLab({ healthyDeadline: '10s' })
  const first = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  const moved = `${lab.git.upstream}.gone`
  const cut = { process: { command: ['/bin/sh', '-c', `mv ${lab.git.upstream} ${moved}; exec sleep 1000000`] } }
  const bad = lab.declare({ web: sleeper(1), network: cut })
  await controller.control.sync()
  const source = await lab.outcome(controller, bad, 'RolledBack')
  expect(source.rollout?.message).toContain("can't reach its repository any more")
  expect(source.revision?.commit).toBe(first)
})

test('without a controller, apply exits with the outcome after the rollback', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ web: sleeper(1) })
  const session = await lab.host.open()
  const { createDirectControl } = await import('../../../src/engine/control/direct-control.ts')
  const control = createDirectControl(session)
  const ways = { signal: new AbortController().signal, listener() {} }
  expect((await control.apply({}, ways)).revision).toMatchObject({ commit: first, outcome: 'Healthy' })
  const bad = lab.declare({ web: failing })
  expect((await control.apply({}, ways)).revision).toMatchObject({ commit: bad, outcome: 'RolledBack' })
  expect((await lab.host.observe('web')).state).toBe('running')
  expect((await control.status()).source).toMatchObject({ revision: { commit: first }, rollout: { commit: bad } })
  session[Symbol.dispose]()
})

test('a way back that fails too is told once and not chained, and the next revision comes into force', async () => {
  await using lab = createRolloutLab()
  const flag = lab.host.path('flag')
  lab.host.write('../flag', '')
  const script = (number: number): string => `test -e ${flag} || exit 3; exec sleep ${number}`
  const web = (number: number) => ({ process: { command: ['/bin/sh', '-c', script(number)] } })
  const first = lab.declare({ web: web(1000001) })
  const controller = await lab.run()
  await lab.outcome(controller, first, 'Healthy')
  rmSync(join(lab.host.directory, 'flag'))
  const bad = lab.declare({ web: web(1000002) })
  await controller.control.sync()
  const source = await lab.outcome(controller, bad, 'RollbackFailed')
  expect(source.revision?.commit).toBe(first)
  expect(controller.log.filter(({ message }) => message.includes('the rollback of'))).toHaveLength(1)
  const mended = lab.declare({ web: sleeper(4) })
  await controller.control.sync()
  await lab.outcome(controller, mended, 'Healthy')
  expect(lab.outcomes(controller.session)).toBe('Healthy RollbackFailed Healthy')
})
