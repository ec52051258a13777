import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import { readHistory } from '../../../src/engine/session/history.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createEngineLab, type EngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Listens at the port or fails for good; at TERM it takes `stopping` ms to release it. It answers with `mark`. */
function server(port: number, mark: string, stopping = 300): Spec {
  const script = `
    const server = require('node:http').createServer((_, to) => to.end(${JSON.stringify(mark)}))
    server.listen(${port}, '127.0.0.1')
    process.on('SIGTERM', () => setTimeout(() => process.exit(0), ${stopping}))`
  return {
    process: { command: [process.execPath, '-e', script], restart: { policy: 'never' } },
    health: { http: { url: `http://127.0.0.1:${port}/` }, interval: '200ms' },
  }
}

const answer = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text()

function declareAs(lab: EngineLab, name: string, renamedFrom: string, spec: Spec): void {
  const metadata = { name, renamedFrom }
  lab.write(`${name}.yaml`, JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata, spec }))
}

describe('E24: a renamed facility that keeps its port', () => {
  test.concurrent('is applied by stopping the old service first', async () => {
    await using lab = createEngineLab()
    const port = await findFreePort()
    lab.declare('www', server(port, 'old'))
    expect((await lab.apply()).notReady).toEqual([])
    lab.withdraw('www')
    lab.declare('web', server(port, 'new'))
    const outcome = await lab.apply({ allowRemovals: 1 })
    expect(outcome.failed).toEqual([])
    expect(outcome.notReady).toEqual([])
    expect(await answer(port)).toBe('new')
    expect((await lab.observe('web')).state).toBe('running')
    const done = lab.history().map(({ step }) => step)
    expect(done.indexOf('www/stop')).toBeLessThan(done.indexOf('web/start'))
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test.concurrent('is started by the controller once the old service is stopped', async () => {
    await using lab = createEngineLab()
    const port = await findFreePort()
    lab.declare('www', server(port, 'old'))
    const controller = await lab.run({ allowRemovals: 1 })
    await controller.ready('www')
    lab.declare('web', server(port, 'new'))
    lab.withdraw('www')
    await controller.ready('web')
    expect(await answer(port)).toBe('new')
    const done = controller.steps()
    expect(done.indexOf('www/stop')).toBeLessThan(done.indexOf('web/start'))
    expect(done.filter(id => id === 'web/start')).toEqual(['web/start'])
  })

  test.concurrent('may swap ports with another', async () => {
    await using lab = createEngineLab()
    const [one, two] = [await findFreePort(), await findFreePort()]
    lab.declare('a', server(one, 'a'))
    lab.declare('b', server(two, 'b', 1_500))
    await lab.apply()
    lab.declare('a', server(two, 'a'))
    lab.declare('b', server(one, 'b'))
    const outcome = await lab.apply()
    expect(outcome.failed).toEqual([])
    expect(outcome.notReady).toEqual([])
    expect(await answer(one)).toBe('b')
    expect(await answer(two)).toBe('a')
  })
})

describe('metadata.renamedFrom', () => {
  test.concurrent('is one change, with its history, and rolls back to the old service if the new one fails', async () => {
    await using lab = createEngineLab()
    const port = await findFreePort()
    lab.declare('www', server(port, 'old'))
    await lab.apply()
    lab.withdraw('www')
    declareAs(lab, 'web', 'www', {
      process: { command: ['/bin/false'], restart: { policy: 'never' } },
      health: { http: { url: `http://127.0.0.1:${port}/` }, startupTimeout: '2s' },
    })
    expect((await lab.apply()).failed.map(({ facility }) => facility)).toEqual(['web'])
    await eventually('the old one to answer again', async () => (await answer(port).catch(() => '')) === 'old')

    declareAs(lab, 'web', 'www', server(port, 'new'))
    const plan = await lab.plan()
    expect(planOf(plan, 'web')).toMatchObject({ change: 'change', renamedFrom: 'www' })
    expect(planOf(plan, 'www')).toBeUndefined()
    const outcome = await lab.apply()
    expect([outcome.failed, outcome.notReady]).toEqual([[], []])
    expect(await answer(port)).toBe('new')
    expect(stepsOf(await lab.plan())).toEqual([])

    const told = readHistory(lab.stateDirectory, createReadHost(), { facility: 'web' })
    expect(told[0]).toMatchObject({ facility: 'www', verb: 'install' })
    expect(told.at(-1)).toMatchObject({ facility: 'web', renamedFrom: 'www', verb: 'remove' })
  })

  test.concurrent('carries a suspension to the new name, where it is resumed', async () => {
    await using lab = createEngineLab()
    lab.declare('www', { process: longRun() })
    const controller = await lab.run()
    await controller.ready('www')
    await controller.control.suspend('www')
    lab.withdraw('www')
    declareAs(lab, 'web', 'www', { process: longRun() })
    await eventually('web to be known', async () => (await controller.status('web')) !== undefined)
    expect(readFileSync(lab.path('state', 'suspended.json'), 'utf8')).toContain('"web"')
    const status = await controller.status('web')
    expect(status?.elsewhere).toMatchObject([{ service: 'www', state: 'running' }])
    expect(await controller.status('www')).toBeUndefined()
    await controller.control.resume('web')
    await controller.ready('web')
    expect(controller.steps()).toContain('web/remove@lab/www')
    expect(readFileSync(lab.path('state', 'suspended.json'), 'utf8')).not.toContain('w')
  })
})

test.concurrent('E3: a marker of an earlier version is up to date, and its service keeps running', async () => {
  await using lab = createEngineLab({ providers: [processProvider] })
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  const path = lab.path('supervisor', 'definitions', 'web.json')
  const { reeve, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
  expect(reeve.meets).toEqual([expect.stringMatching(/^cmd:/)])
  delete reeve.meets
  writeFileSync(path, `${JSON.stringify({ reeve, ...rest }, undefined, 2)}\n`)
  expect(stepsOf(await lab.plan())).toEqual([])
  lab.declare('web', { process: longRun(), dependsOn: ['db'] })
  lab.declare('db', { process: longRun(1) })
  await lab.apply()
  const after = await lab.observe('web')
  expect(after.pid).toBe(pid)
  expect(after.ownership?.meets).toHaveLength(1)
})
