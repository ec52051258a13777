import { spawn } from 'node:child_process'
import { createConnection, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openHousehold, reevePath, sleeper, until } from './household.ts'

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

test('S12: with few descriptors and 300 half requests the controller goes on reading and answering', async () => {
  const home = openHousehold({ 'web.yaml': sleeper('web') })
  const port = await freePort()
  home.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nresync: 1s\nlisten: 127.0.0.1:${port}\n`,
  )
  const command = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, reevePath, 'run', '--config', 'reeve.yaml']
  const { PATH = '' } = process.env
  const controller = spawn('sh', command, { cwd: home.directory, env: { PATH, HOME: home.directory } })
  let said = ''
  for (const stream of [controller.stdout, controller.stderr]) stream.on('data', text => (said += text))
  const ended = new Promise(resolve => controller.once('exit', resolve))
  onTestFinished(async () => {
    controller.kill('SIGTERM')
    await ended
  })
  await until(async () => (await home.status('web'))?.pid, 'web runs')
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let index = 0; index < 300; index += 1) {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n')
    sockets.push(socket)
  }
  home.write('manifests/worker.yaml', sleeper('worker'))
  await until(async () => (await home.status('worker'))?.pid, 'worker runs')
  const began = performance.now()
  expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('ok\n')
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(said).not.toMatch(/EMFILE|too many/)
})
