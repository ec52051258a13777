import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { openControl } from '../../../src/engine/control/control-access.ts'
import { makePlanRun } from '../../../src/engine/refresh/plan-run.ts'
import { conditionOf, createEngineLab, type Spec } from '../../labs/engine-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'

const serve = (port: number, host: string): string =>
  `require('node:http').createServer((q, a) => a.end('ok')).listen(${port}, '${host}')`

/** Answers at the port, or runs on without it: a probe would then find another program. */
function web(port: number, { host = '127.0.0.1', script = serve(port, host), patience = '60s' } = {}): Spec {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`
  const survive = "process.on('uncaughtException', () => setInterval(() => {}, 1e6));"
  return {
    process: { command: [process.execPath, '-e', survive + script], restart: { delay: '100ms' } },
    health: { http: { url }, interval: '200ms', timeout: '5s', startupTimeout: patience },
  }
}

/** Another program that answers at the port, and has done so for longer than any service of the test. */
async function occupy(port: number, host = '127.0.0.1'): Promise<Disposable & { readonly pid: number }> {
  const other = spawn(process.execPath, ['-e', `${serve(port, host)}.on('listening', () => console.log('up'))`])
  await new Promise(resolve => other.stdout.once('data', resolve))
  return { pid: other.pid ?? 0, [Symbol.dispose]: () => void other.kill('SIGKILL') }
}

test.concurrent('a health check answered by another process fails, and the process is named', async () => {
  const port = await findFreePort()
  using other = await occupy(port)
  await using lab = createEngineLab()
  lab.declare('web', web(port, { patience: '8s' }))
  const message = `port ${port} is held by another process (pid ${other.pid}, node), not by web`
  const outcome = await lab.apply()
  expect(outcome.notReady).toMatchObject([{ facility: 'web', message: expect.stringContaining(message) }])
  const { facilities } = await (await openControl(await lab.open())).status('web')
  expect(facilities[0]?.health).toBe('unhealthy')
})

/** In ms: on a busy machine each start of a Node takes seconds. */
const timeout = 300_000

/** Address of an interface other than loopback; without one, this host has only its loopback. */
const ownAddress =
  Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.2'

for (const listened of ['0.0.0.0', ownAddress]) {
  test.concurrent(`the same holds at another address of this host, served by a listener at ${listened}`, {
    timeout,
  }, async () => {
    const port = await findFreePort()
    await using lab = createEngineLab()
    lab.declare('web', web(port, { host: ownAddress }))
    const isReady = async () => conditionOf(await controller.status('web'), 'Ready') === 'True'
    using other = await occupy(port, listened)
    expect((await makePlanRun(await lab.open())).refresh.targets[0]?.takenPort).toMatchObject({ port, pid: other.pid })
    const controller = await lab.run()
    const told = `port ${port} is held by another process (pid ${other.pid}, node), not by web`
    const isTold = async () =>
      (await controller.status('web'))?.conditions.some(
        ({ type, status, message }) =>
          type === 'Ready' && status === 'False' && message.includes(`passed yet: ${told}`),
      ) === true
    await eventually('the answer not to be believed', isTold, timeout / 2)
    other[Symbol.dispose]()
    await controller.control.act('restart', 'web')
    await eventually('the service itself to be believed', isReady, timeout / 2)
  })
}

test.concurrent('of two facilities with one port only the one that listens there is ready', async () => {
  const port = await findFreePort()
  await using lab = createEngineLab()
  lab.declare('first', web(port))
  lab.declare('second', { ...web(port), dependsOn: ['first'] })
  const controller = await lab.run()
  const first = await controller.ready('first')
  const isTold = async () => {
    const status = await controller.status('second')
    return JSON.stringify(status?.conditions).includes(`port ${port} is held by another process (pid ${first.pid}, `)
  }
  await eventually('the conflict to be told', isTold)
  expect(conditionOf(await controller.status('second'), 'Ready')).toBe('False')
})

test.concurrent("an answer during a crash loop is not the service's", async () => {
  const port = await findFreePort()
  using _other = await occupy(port)
  await using lab = createEngineLab()
  const crash = web(port, { script: `setTimeout(() => process.exit(3), 300)`, patience: '8s' })
  lab.declare('web', crash)
  expect((await lab.apply()).notReady).toMatchObject([{ facility: 'web' }])
})

const listeners: [string, (port: number, path: string) => Spec][] = [
  ['itself', port => web(port)],
  [
    'itself, at all addresses',
    port => ({ ...web(port), process: { command: [process.execPath, '-e', serve(port, '::')] } }),
  ],
  ['itself, by IPv6', port => web(port, { host: '::1' })],
  [
    'by a child in a session of its own',
    port => ({
      ...web(port),
      process: {
        command: [
          process.execPath,
          '-e',
          `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(serve(port, '127.0.0.1'))}], { detached: true }); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6)`,
        ],
      },
    }),
  ],
]
for (const [name, specOf] of listeners) {
  test.concurrent(`no false alarm: a service that listens ${name} is ready`, async () => {
    const port = await findFreePort()
    await using lab = createEngineLab()
    lab.declare('web', specOf(port, lab.path('socket')))
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
  })
}

test.concurrent('no false alarm: a service behind a proxy that is older than it is ready', async () => {
  const port = await findFreePort()
  using _other = await occupy(port)
  await using lab = createEngineLab()
  const script = `require('node:net').createServer().listen('${lab.path('socket')}')`
  lab.declare('web', web(port, { script }))
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
})

test.concurrent('no false alarm: a listener younger than the service may be its own', async () => {
  const port = await findFreePort()
  await using lab = createEngineLab()
  const note = `require('node:fs').writeFileSync('${lab.path('pid')}', String(process.pid));`
  writeFileSync(lab.path('serve.cjs'), note + serve(port, '127.0.0.1'))
  // It leaves its parent, its group and its session.
  const script = `require('node:child_process').spawn('/bin/sh', ['-c', 'setsid ${process.execPath} ${lab.path('serve.cjs')} & exit 0'], { detached: true }); setInterval(() => {}, 1e6)`
  lab.declare('web', web(port, { script }))
  const outcome = await lab.apply()
  process.kill(Number(readFileSync(lab.path('pid'), 'utf8')), 'SIGKILL')
  expect(outcome).toMatchObject({ failed: [], notReady: [] })
})
