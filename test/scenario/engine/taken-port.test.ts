import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { createEngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'

const serve = (port: number): string =>
  `require('node:http').createServer((q, a) => a.end('ok')).listen(${port}, '127.0.0.1')`

/** Listens at the port by itself; its health check asks at `asked`. */
function web(port: number, { asked = port, mark = 0, patience = '60s' } = {}): Spec {
  return {
    process: { command: [process.execPath, '-e', `${serve(port)}; ${mark}`], restart: { delay: '100ms' } },
    health: { http: { url: `http://127.0.0.1:${asked}/` }, interval: '200ms', timeout: '5s', startupTimeout: patience },
  }
}

/** Stranger's process that answers there. */
async function occupy(port: number): Promise<AsyncDisposable & { readonly pid: number }> {
  const other = spawn(process.execPath, ['-e', `${serve(port)}.on('listening', () => console.log('up'))`])
  await new Promise(resolve => other.stdout.once('data', resolve))
  return {
    pid: other.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const over = new Promise(resolve => other.once('close', resolve))
      other.kill('SIGKILL')
      await over
    },
  }
}

/** In ms: on a busy machine each start of a Node takes seconds. */
const timeout = 300_000

const clean = { failed: [], notReady: [] }

test.concurrent('a running service is left alone if the port it is to move to is taken', {
  timeout,
}, async () => {
  const [first, second] = [await findFreePort(), await findFreePort()]
  await using lab = createEngineLab()
  lab.declare('web', web(first))
  expect(await lab.apply()).toMatchObject(clean)
  const { pid } = await lab.observe('web')
  {
    await using other = await occupy(second)
    lab.declare('web', web(second))
    const told = `port ${second} is held by another process (pid ${other.pid}, node), not by web`
    const plan = await lab.plan()
    expect(planOf(plan, 'web')).toMatchObject({ steps: [], blocked: expect.stringContaining(told) })
    expect(await lab.apply()).toMatchObject({ stepsDone: 0, plan: { summary: { blocked: 1 } } })
    expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
  }
  expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
  expect(await lab.apply()).toMatchObject(clean)
})

test.concurrent('facilities that swap ports are no blocker to one another, nor is one that is removed', {
  timeout,
}, async () => {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()] as const
  await using lab = createEngineLab()
  for (const [index, name] of (['a', 'b', 'c'] as const).entries()) lab.declare(name, web(ports[index] ?? 0))
  expect(await lab.apply()).toMatchObject(clean)
  // a moves to the port of c, which is no longer declared.
  lab.declare('a', web(ports[2]))
  lab.declare('b', web(ports[0]))
  lab.withdraw('c')
  const plan = await lab.plan()
  expect(plan.summary).toMatchObject({ blocked: 0, change: 2, remove: 1 })
  expect(await lab.apply({ allowRemovals: 1 })).toMatchObject(clean)
})

test.concurrent('a facility that relies on a port that is not freed after all is left alone too', {
  timeout,
}, async () => {
  const [first, second] = [await findFreePort(), await findFreePort()]
  await using lab = createEngineLab()
  lab.declare('a', web(first))
  lab.declare('b', web(second))
  expect(await lab.apply()).toMatchObject(clean)
  const pids = [(await lab.observe('a')).pid, (await lab.observe('b')).pid]
  lab.declare('a', web(second))
  lab.declare('b', { ...web(first), process: { command: ['/nowhere/web'] } })
  const plan = await lab.plan()
  expect(planOf(plan, 'b')?.blocked).toContain('there is no program /nowhere/web')
  expect(planOf(plan, 'a')?.blocked).toContain(`port ${second} is held by another process (pid ${pids[1]}, node)`)
  await lab.apply()
  expect([(await lab.observe('a')).pid, (await lab.observe('b')).pid]).toEqual(pids)
})

test.concurrent('a proxy that answers for a service is no blocker', { timeout }, async () => {
  const [own, proxied] = [await findFreePort(), await findFreePort()]
  await using _proxy = await occupy(proxied)
  await using lab = createEngineLab()
  lab.declare('web', web(own, { asked: proxied }))
  expect(await lab.apply()).toMatchObject(clean)
  lab.declare('web', web(own, { asked: proxied, mark: 1 }))
  expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
  expect(await lab.apply()).toMatchObject(clean)
})

test.concurrent('a first start is tried, and the plan warns of the port', { timeout }, async () => {
  const port = await findFreePort()
  await using other = await occupy(port)
  await using lab = createEngineLab()
  lab.declare('web', web(port, { patience: '3s' }))
  const told = `port ${port} is held by another process (pid ${other.pid}, node), not by web`
  const plan = await lab.plan()
  expect(planOf(plan, 'web')).toMatchObject({ change: 'add' })
  expect(plan.diagnostics).toMatchObject([
    { severity: 'warning', code: 'cannot-start', message: `facility web may not get ready on this host: ${told}` },
  ])
  const { failed, notReady } = await lab.apply()
  expect(JSON.stringify([failed, notReady])).toContain(told)
  lab.declare('web', { process: longRun() })
  expect((await lab.plan()).diagnostics).toEqual([])
})
