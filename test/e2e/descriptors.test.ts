import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

test('S12: with few descriptors and 300 incomplete requests the controller continues to read and answer', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
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
  await eventually('web runs', async () => (await home.status('web'))?.pid)
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
  await eventually('worker runs', async () => (await home.status('worker'))?.pid)
  const began = performance.now()
  expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('ok\n')
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(said).not.toMatch(/EMFILE|too many/)
})

const isRoot = process.geteuid?.() === 0

test.runIf(isRoot)(
  'S8: no process started for a service inherits descriptors that were open when Reeve was started',
  async () => {
    const home = openCliFixture()
    const secret = home.path('secret')
    writeFileSync(secret, 'of root\n', { mode: 0o600 })
    chmodSync(home.directory, 0o755)
    mkdirSync(home.path('open'))
    chmodSync(home.path('open'), 0o777)
    const list = (name: string): string => `ls -l /proc/self/fd > ${home.path('open')}/${name}`
    const spec = {
      process: {
        command: ['sh', '-c', `${list('service')}; exec sleep 1000`],
        user: 'nobody',
        reload: { command: ['sh', '-c', list('reload')] },
      },
      health: { exec: { command: ['sh', '-c', list('health')] } },
      files: [{ path: home.path('a.conf'), content: 'a', onChange: 'reload' }],
    }
    const declare = (): void => {
      home.write(
        'manifests/web.yaml',
        JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name: 'web' }, spec }),
      )
    }
    declare()
    const reeve = (...args: string[]): void => {
      const script = `exec 3<${secret} 7<${secret} 20<${secret} 200<${secret}; ${args.join(' ')}`
      const { PATH = '' } = process.env
      const { status, stderr } = spawnSync('bash', ['-c', script], {
        cwd: home.directory,
        encoding: 'utf8',
        env: { PATH, HOME: home.directory },
      })
      expect(status, stderr).toBe(0)
    }
    const program = `${process.execPath} ${reevePath}`
    reeve(program, 'plan', '--out', 'plan.json', '--config', 'reeve.yaml')
    // A plan may be read from a descriptor too.
    reeve(program, 'apply', '--plan', '<(cat plan.json)', '--config', 'reeve.yaml')
    reeve(program, 'reload', 'web', '--config', 'reeve.yaml')
    reeve(program, 'restart', 'web', '--config', 'reeve.yaml')
    for (const name of ['service', 'health', 'reload']) {
      const file = home.path('open', name)
      await eventually(
        `${name} has said what it has`,
        () => existsSync(file) && readFileSync(file, 'utf8').includes(' 2 -> '),
      )
      const open = readFileSync(file, 'utf8').trim().split('\n').slice(1)
      // The last one is that of the listing itself.
      expect(
        open.map(line => line.replace(/.*? (\d+) -> (\/proc)?.*/, '$1$2')),
        open.join('\n'),
      ).toEqual(['0', '1', '2', '3/proc'])
      expect(open.join('\n')).not.toContain('secret')
    }
  },
)
