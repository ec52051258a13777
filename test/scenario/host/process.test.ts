import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Effect } from '../../../src/host/effects.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-process-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const host = createWriteHost()
const path = process.env.PATH ?? ''

test('run returns the result of the program once it has ended', async () => {
  const script = 'cat; echo to stderr >&2; echo "$GREETING" "$LC_ALL"; pwd; exit 3'
  const result = await host.run(['sh', '-c', script], { input: 'in ', environment: { GREETING: 'hi' }, directory: '/' })
  expect(result).toEqual({ exitCode: 3, stdout: 'in hi C\n/\n', stderr: 'to stderr\n' })
  expect(await host.run(['sh', '-c', 'kill -9 $$'])).toMatchObject({ exitCode: 137 })
})

test("S4: run passes the variables that tools need, and no token of Reeve's environment", async () => {
  vi.stubEnv('ROOT_TOKEN', 'of Reeve')
  vi.stubEnv('LD_BIND_NOW', '1')
  onTestFinished(() => void vi.unstubAllEnvs())
  const { stdout } = await host.run(['env'], { environment: { GREETING: 'hi' } })
  const names = stdout
    .trim()
    .split('\n')
    .map(line => line.slice(0, line.indexOf('=')))
  const needed = ['PATH', 'HOME', 'TZ', 'LC_ALL', 'GREETING']
  expect(names.filter(name => !needed.includes(name) && !name.startsWith('XDG_'))).toEqual([])
  expect(names).toContain('PATH')
  const query = createReadHost({ queries: [['env']] }).query(['env'])
  expect((await query).stdout).not.toContain('ROOT_TOKEN')
})

test('run ends a program with too much output', async () => {
  const before = process.memoryUsage().rss
  const { exitCode, stdout } = await host.run(['yes'], { timeout: 30_000 })
  expect(exitCode).not.toBe(0)
  expect(stdout.length).toBeLessThanOrEqual(8 * 1024 * 1024)
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
})

test('S2: run passes arguments unchanged', async () => {
  const args = ['$HOME; id', '`id`', "'", '"', 'a b', '', '*', '\\', '\n']
  const { stdout } = await host.run(['printf', '%s|', ...args])
  expect(stdout).toBe(args.map(arg => `${arg}|`).join(''))
})

test('run does not wait for a service that keeps the output of its init script open', async () => {
  const began = Date.now()
  const { stdout, exitCode } = await host.run(['sh', '-c', 'echo started; sleep 30 & echo $!'])
  expect(Date.now() - began).toBeLessThan(10_000)
  expect(exitCode).toBe(0)
  const [word, pid] = stdout.trim().split('\n')
  expect(word).toBe('started')
  expect(host.kill(Number(pid), 'KILL')).toBe(true)
})

test('run returns all that a program wrote that ended while this process stood still', async () => {
  const standStill = (time: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time)
  await host.run(['true'])
  const result = host.run(['sh', '-c', 'sleep 0.3; echo last words'])
  await new Promise(resolve => setTimeout(resolve, 50))
  // The other's end has both reaped, and the output of the first is not yet read.
  const other = spawn('echo')
  other.stdout.on('data', () => standStill(800))
  other.on('exit', () => setImmediate(() => standStill(400)))
  standStill(100)
  expect(await result).toMatchObject({ exitCode: 0, stdout: 'last words\n' })
})

test.each([
  [['no-such-program'], {}, 'unavailable', /there is no program no-such-program/],
  [['/etc/passwd'], {}, 'failed', /permission denied \(EACCES\): .*passwd.* can't be executed; make it executable/],
  [
    ['/etc/passwd'],
    { directory: '/' },
    'failed',
    /can't be executed, or its working directory \/ can't be entered; make/,
  ],
  [['true'], { directory: '/no/such' }, 'failed', /there is no working directory \/no\/such/],
  [['sleep', '30'], { timeout: 50 }, 'failed', /sleep 30 did not end within 50 ms/],
  [[], {}, 'internal', /at least a program/],
] as const)(
  'run of a program that cannot be executed, %j, fails with the reason',
  async (command, options, code, message) => {
    await expect(host.run(command, options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  },
)

test('run is aborted by its signal', async () => {
  const controller = new AbortController()
  const file = join(directory, 'started')
  const running = host.run(['sh', '-c', 'echo > "$0"; exec sleep 30', file], { signal: controller.signal })
  const given = expect(running).rejects.toMatchObject({ code: 'aborted', cause: 'overtaken' })
  await eventually('its file', () => host.facts(file))
  controller.abort('overtaken')
  await given
  await expect(host.run(['true'], { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' })
})

test('a spawned process has a session of its own, the given environment, and writes to its file', async () => {
  const output = join(directory, 'log')
  writeFileSync(output, 'before\n', { mode: 0o640 })
  const environment = { PATH: path, ONLY: 'this' }
  const spawned = host.spawn(['sh', '-c', 'env | sort; echo oops >&2; exec sleep 60'], {
    environment,
    output,
    directory,
  })
  onTestFinished(() => void host.kill(-spawned.pid, 'KILL'))
  const { group, session, parent } = host.process(spawned.pid) ?? {}
  expect([group, session, parent]).toEqual([spawned.pid, spawned.pid, process.pid])
  await eventually('its last line', () => host.readText(output)?.endsWith('oops\n'))
  const lines = readFileSync(output, 'utf8').split('\n')
  expect(lines[0]).toBe('before')
  const names = lines.slice(1, -2).map(line => line.split('=')[0] ?? '')
  // `PWD` and `_` are set by the shell.
  expect(names.filter(name => !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name))).toEqual(['ONLY', 'PATH'])

  expect(host.kill(spawned.pid, 'TERM')).toBe(true)
  await spawned.exited
  expect(host.process(spawned.pid)).toBeUndefined()
  expect(host.kill(spawned.pid, 'TERM')).toBe(false)
})

test('the output file is created with its mode', async () => {
  const output = join(directory, 'log')
  await host.spawn(['true'], { environment: { PATH: path }, output, outputMode: 0o644 }).exited
  expect(statSync(output).mode & 0o777).toBe(0o644)
})

test.each([
  [['no-such-program'], {}, /there is no program no-such-program/],
  [['/no/such/program'], {}, /there is no program \/no\/such\/program/],
  [['/etc/passwd'], {}, /permission denied/],
  [['true'], { directory: '/no/such' }, /there is no working directory \/no\/such/],
  [['true'], { output: '/no/such/log' }, /cannot open the directory \/no\/such/],
  [[], {}, /at least a program/],
] as const)('spawn of a process that cannot be executed, %j, fails at once', (command, options, message) => {
  expect(() => host.spawn(command, { environment: { PATH: path }, ...options })).toThrow(message)
})

test('an unknown signal is an error', () => {
  expect(() => host.kill(process.pid, 'NOPE')).toThrow(/expected a signal such as TERM or RTMIN\+3, found NOPE/)
})

test('E4: each effect is announced before, and after it was done', async () => {
  const told: string[] = []
  const watched = createWriteHost({
    onEffect: ({ kind, target }: Effect, phase) => told.push(`${phase} ${kind} ${target}`),
  })
  await watched.run(['true'])
  const { pid, exited } = watched.spawn(['sleep', '60'], { environment: { PATH: path } })
  watched.kill(pid, 'KILL')
  await exited
  await watched.run(['no-such-program']).catch(() => {})
  expect(told).toEqual([
    'before run true',
    'after run true',
    'before spawn sleep 60',
    'after spawn sleep 60',
    `before kill ${pid} KILL`,
    `after kill ${pid} KILL`,
    'before run no-such-program',
  ])
})

async function serve(onLine: (line: string, socket: Socket) => void): Promise<string> {
  const socketPath = join(directory, 'socket')
  const server: Server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', data => onLine(data.toString(), socket))
  })
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  await new Promise<void>(resolve => server.listen(socketPath, resolve))
  return socketPath
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

const never = new AbortController().signal

test('a request sends its line and yields lines until the peer closes', async () => {
  const socketPath = await serve((line, socket) => {
    socket.write(`got ${line}par`)
    socket.end('tial\nlast')
  })
  expect(await collect(host.request(socketPath, 'status web', never))).toEqual(['got status web', 'partial', 'last'])
})

test('a request may be ended after its first line, or aborted while it waits', async () => {
  const closed: string[] = []
  const socketPath = await serve((line, socket) => {
    socket.on('close', () => closed.push(line.trim()))
    socket.write('first\n')
  })
  for await (const line of host.request(socketPath, 'leave', never)) {
    expect(line).toBe('first')
    break
  }
  const controller = new AbortController()
  const lines = host.request(socketPath, 'abort', controller.signal)[Symbol.asyncIterator]()
  await lines.next()
  const waiting = lines.next()
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
  await eventually('both to be closed', () => closed.length === 2)
  expect(closed.sort()).toEqual(['abort', 'leave'])
  await expect(collect(host.request(socketPath, 'x', controller.signal))).rejects.toMatchObject({ code: 'aborted' })
})

test('a request to a socket without a listener fails with that reason', async () => {
  const gone = join(directory, 'gone')
  await expect(collect(host.request(gone, 'x', never))).rejects.toMatchObject({
    code: 'unavailable',
    message: `nothing listens at ${gone} (ENOENT); check that its service runs`,
  })
  const long = `/${'x'.repeat(107)}`
  await expect(collect(host.request(long, 'x', never))).rejects.toThrow(/at most 107 bytes, found: \S+ has 108/)
  writeFileSync(gone, '')
  await expect(collect(host.request(gone, 'x', never))).rejects.toMatchObject({ code: 'unavailable' })
})

test('S12: a line without an end is rejected', async () => {
  const socket = join(directory, 'socket')
  const server = createServer(connection => {
    connection.on('error', () => {})
    const send = (): void => {
      while (!connection.destroyed && connection.write('x'.repeat(65_536)));
      if (!connection.destroyed) connection.once('drain', send)
    }
    connection.once('data', send)
  })
  await new Promise<void>(resolve => server.listen(socket, resolve))
  onTestFinished(() => void server.close())
  const asking = async (): Promise<void> => {
    for await (const _line of host.request(socket, 'x', new AbortController().signal));
  }
  await expect(asking()).rejects.toThrow(/lines of at most 4194304 bytes/)
})
