import { createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createClock } from '../../../src/host/clock.ts'
import { openDeadline } from '../../../src/host/deadline.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'

/** Collects garbage continuously until the test is over. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const timer = setInterval(collect, 50)
  onTestFinished(() => clearInterval(timer))
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

test('E23: a deadline whose signal nobody else references fires despite garbage collections', async () => {
  collectGarbage()
  let fired = 0
  // One deadline each, as of every probe, and all referenced.
  const parents: AbortController[] = []
  function arm(): Disposable {
    const parent = new AbortController()
    parents.push(parent)
    const deadline = openDeadline(createClock(), 500, [parent.signal])
    deadline.signal.addEventListener('abort', () => {
      fired += 1
    })
    return { [Symbol.dispose]: () => deadline[Symbol.dispose]() }
  }
  for (let index = 0; index < 20; index += 1) arm()
  await eventually('all to fire', () => fired === 20)
  expect(parents.map(({ signal }) => signal.aborted)).not.toContain(true)
})

test('E23: a web service stopped by SIGSTOP becomes unhealthy and is restarted, despite garbage collections', async () => {
  collectGarbage()
  const port = await freePort()
  await using lab = createEngineLab({ configuration: 'resync: 1s' })
  const serve = `require('http').createServer((q, s) => s.end('ok')).listen(${port}, '127.0.0.1')`
  lab.declare('web', {
    process: { command: [process.execPath, '-e', serve] },
    health: {
      http: { url: `http://127.0.0.1:${port}/` },
      interval: '1s',
      timeout: '3s',
      failureThreshold: 2,
      onFailure: 'restart',
    },
  })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  if (pid === null) throw new Error('it has no pid')
  process.kill(pid, 'SIGSTOP')
  await eventually('it to be restarted', () => controller.steps().includes('web/restart'))
  expect((await controller.ready('web')).pid).not.toBe(pid)
})
