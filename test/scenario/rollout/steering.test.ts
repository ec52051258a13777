import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { createRolloutLab, failing, sleeper } from '../../labs/rollout-lab.ts'

const ways = { signal: new AbortController().signal, listener() {} }

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
  await control.apply({}, ways)
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
  const control = createDirectControl(session)
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

test('an apply changes one facility after the other, with a controller and without', async () => {
  await using lab = createRolloutLab({ strategy: 'one-by-one' })
  const first = lab.declare({ a: sleeper(1), b: sleeper(1) })
  const session = await lab.host.open()
  const direct = await createDirectControl(session).apply({}, ways)
  expect(direct).toMatchObject({
    failed: [],
    notReady: [],
    undone: [],
    revision: { commit: first, outcome: 'Healthy' },
  })
  session[Symbol.dispose]()
  const turns = (): string[] => lab.host.history().map(({ step }) => step)
  expect(turns()).toEqual(['a/install', 'a/enable', 'a/start', 'b/install', 'b/enable', 'b/start'])

  const controller = await lab.run()
  const second = lab.declare({ a: sleeper(2), b: sleeper(2) })
  const applied = await controller.control.apply({}, ways)
  expect(applied).toMatchObject({
    failed: [],
    notReady: [],
    undone: [],
    revision: { commit: second, outcome: 'Healthy' },
  })
  expect(turns().slice(6)).toEqual(['a/install', 'a/restart', 'b/install', 'b/restart'])
})
