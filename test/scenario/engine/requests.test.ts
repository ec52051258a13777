import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, healthyWith, longRun, reasonOf, stepsOf, untilAtRest } from '../../labs/engine-lab.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'

const quick = 'resync: 1s'
const slow = 'resync: 1h'

test.concurrent('a manual action that the controller would revert is refused; with --suspend it is done, and outlives the controller', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  const first = await lab.run()
  const { pid } = await first.ready('web')
  await expect(first.control.act('stop', 'web')).rejects.toThrow(
    /declared state: running.*--suspend.*change the manifest/s,
  )
  await expect(first.control.act('disable', 'web')).rejects.toMatchObject({ code: 'refused' })
  expect(isAlive(pid ?? 0)).toBe(true)
  await first.control.act('restart', 'web')
  const again = await first.ready('web')
  expect(again.pid).not.toBe(pid)
  expect(lab.history().at(-1)).toMatchObject({ step: 'web/restart', reason: 'requested', trigger: 'reeve restart' })

  await first.control.act('stop', 'web', { suspend: true })
  lab.declare('web', { process: longRun(1) })
  lab.declare('db', { process: longRun() })
  await first.ready('db')
  expect(reasonOf(await first.status('web'), 'Reconciling')).toBe('Suspended')
  await first.stop()
  const second = await lab.run()
  await second.ready('db')
  const web = await second.status('web')
  expect([web?.state, reasonOf(web, 'Reconciling')]).toEqual(['stopped', 'Suspended'])
  expect((await lab.open()).configuration.resync).toBe(1_000)
  await second.control.resume('web')
  await second.ready('web')
  expect(second.steps()).toEqual(['web/install', 'web/start'])
  await second.stop()
  const third = await lab.run()
  expect(reasonOf(await third.ready('web'), 'Reconciling')).toBe('AsDeclared')
})

test.concurrent('a manual action replaces a waiting lane', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('db', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '10m' }) })
  lab.declare('web', { process: longRun(), dependsOn: ['db'] })
  const controller = await lab.run()
  const reconciling = async (): Promise<string | undefined> =>
    (await controller.status('web'))?.conditions.find(({ type }) => type === 'Reconciling')?.message
  await eventually('web to wait', async () => (await reconciling()) === 'waits for db to become ready')
  const outcome = await controller.control.act('start', 'web')
  expect(outcome.message).toBe('web started')
  expect((await controller.status('web'))?.state).toBe('running')
})

test.concurrent('a waiting manual action reports the current state, not an earlier one', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('sick', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '10m' }) })
  lab.declare('needs', { process: longRun(), dependsOn: ['sick'] })
  const controller = await lab.run()
  await eventually('it to be told of as installed, enabled and waiting', async () => {
    const needs = await controller.status('needs')
    return needs?.state === 'stopped' && needs.enabled === true && reasonOf(needs, 'Reconciling') === 'UnderWay'
  })
  expect(controller.steps().filter(id => id.startsWith('needs/'))).toEqual(['needs/install', 'needs/enable'])
})

test.concurrent('a manual action is retried when a pass was quicker', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: slow, providers: [meddled.provider] })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  await untilAtRest(() => meddled.probes)
  // Its observation takes so long that a pass begins a step meanwhile.
  let goOn = (): void => {}
  meddled.look = () => {
    meddled.look = () => {}
    return new Promise(resolve => {
      goOn = resolve
    })
  }
  const asked = controller.control.act('restart', 'web')
  await new Promise(resolve => setTimeout(resolve, 100))
  let isHeld = true
  meddled.before = async ({ id }) => {
    while (isHeld && id === 'web/install') await new Promise(resolve => setTimeout(resolve, 10))
  }
  lab.declare('web', { process: longRun(1) })
  const begun = (): number =>
    controller.events.filter(event => event.type === 'step-started' && event.step.id === 'web/install').length
  await eventually('the pass to have begun', () => begun() === 2)
  goOn()
  await new Promise(resolve => setTimeout(resolve, 100))
  isHeld = false
  await asked
  const requested = lab.history().filter(({ reason, result }) => reason === 'requested' && result === 'done')
  expect(requested.map(({ step }) => step)).toEqual(['web/restart'])
  await controller.ready('web')
  expect(stepsOf(await lab.plan())).toEqual([])
})
