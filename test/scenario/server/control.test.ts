import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { Control } from '../../../src/core/contracts/control.ts'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import type { RevisionReport, SourceStatus } from '../../../src/core/contracts/source-status.ts'
import type { Status } from '../../../src/core/contracts/status.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { createClock } from '../../../src/host/clock.ts'
import { connectControl } from '../../../src/server/control-client.ts'
import { serveControl } from '../../../src/server/control-server.ts'
import type { RunningServer } from '../../../src/server/http-listening.ts'

const isRoot = process.getuid?.() === 0

let root = ''
let socketPath = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'reeve-control-'))
  socketPath = join(root, 'run', 'control.sock')
})
afterEach(() => rmSync(root, { recursive: true }))

const status: Status = {
  facilities: [
    {
      name: 'web',
      supervisor: 'process',
      service: 'web',
      state: 'running',
      enabled: true,
      pid: 7,
      since: '2026-01-02T03:04:05.678Z',
      health: 'none',
      conditions: [],
    },
  ],
}

const web = { supervisor: 'process', service: 'web' }

const outcome: ApplyOutcome = {
  plan: {
    formatVersion: 1,
    digest: '0',
    facilities: [],
    summary: { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 },
    diagnostics: [],
  },
  failed: [{ facility: 'web', message: 'no luck' }],
  notReady: [],
  undone: [],
  stepsDone: 0,
  suspended: [],
}

const source: SourceStatus = {
  url: 'https://example.org/hosts.git',
  wanted: 'branch main',
  fetchedAt: null,
  condition: { reason: 'Pending', message: 'no revision has been fetched yet', since: '2026-01-01T00:00:00.000Z' },
}

const revision: RevisionReport = {
  commit: '1'.repeat(40),
  reference: 'refs/heads/main',
  subject: 'Change web',
  author: 'Ada Author <ada@example.org>',
  committedAt: '2026-01-01T00:00:00.000Z',
  since: '2026-01-01T00:00:00.000Z',
  outcome: 'Healthy',
  began: '2026-01-01T00:00:00.000Z',
  ended: '2026-01-01T00:00:11.000Z',
  changed: ['web'],
  changedCount: 1,
  steps: 2,
  isInForce: true,
}

/** Records requests; fails for the facility `bad`. */
function createRecorder(): { control: Control; asked: unknown[] } {
  const asked: unknown[] = []
  const answer = async (...question: unknown[]): Promise<{ changed: boolean; message: string }> => {
    asked.push(question)
    const position = { file: 'bad.yaml', line: 3, column: 5 }
    if (question.includes('bad')) throw new ReeveError('refused', 'it would be undone', { position })
    if (question.includes('bug')) throw new TypeError('x is not a function')
    return { changed: true, message: 'started' }
  }
  const control: Control = {
    async status(name) {
      asked.push(['status', name])
      return status
    },
    act: (verb, name, options) => answer('act', verb, name, options),
    suspend: name => answer('suspend', name),
    resume: name => answer('resume', name),
    async sync(wish) {
      asked.push(['sync', wish])
      return source
    },
    async rollback(wanted) {
      asked.push(['rollback', wanted])
      return revision
    },
    async accept(commit) {
      asked.push(['accept', commit])
      return source
    },
    async apply(wish, { listener, settings }) {
      asked.push(['apply', wish, settings])
      listener({ type: 'not-ready', facility: 'web', message: 'starting' })
      const { supervisor, service } = web
      const step = { id: 'web/start', verb: 'start', reason: 'stopped', needs: [] } as const
      const error = new ReeveError('failed', 'no luck')
      listener({
        type: 'step-finished',
        facility: 'web',
        step,
        at: { supervisor, service },
        result: 'failed',
        duration: 3,
        error,
      })
      if (wish.allowRemovals === 0) throw new ReeveError('refused', 'too many')
      return outcome
    },
    async planDown(names, settings) {
      asked.push(['planDown', names, settings])
      return outcome.plan
    },
    async down(names, { settings }) {
      asked.push(['down', names, settings])
      return outcome
    },
  }
  return { control, asked }
}

async function serve(control: Control = createRecorder().control): Promise<RunningServer> {
  const server = await serveControl(control, socketPath, createClock())
  onTestFinished(() => server.close())
  return server
}

async function connect(): Promise<Control> {
  const control = await connectControl(socketPath, createClock())
  if (!control) throw new Error('nobody answers')
  return control
}

test('a request over the socket reaches the controller, and its answer comes back', async () => {
  const { control, asked } = createRecorder()
  await serve(control)
  const client = await connect()
  expect(await client.status()).toEqual(status)
  await client.status('a b&c=d/ü')
  const outcome = { changed: true, message: 'started' }
  expect(await client.act('start', 'web', { ifStopped: true })).toEqual(outcome)
  expect(await client.suspend('web')).toEqual(outcome)
  expect(await client.resume('web')).toEqual(outcome)
  expect(asked).toEqual([
    ['status', undefined],
    ['status', 'a b&c=d/ü'],
    ['act', 'start', 'web', { ifStopped: true, ifChanged: false, suspend: false }],
    ['suspend', 'web'],
    ['resume', 'web'],
  ])
})

test('the events of a pass are streamed, followed by its outcome', async () => {
  const { control, asked } = createRecorder()
  await serve(control)
  const client = await connect()
  expect(client.pid).toBe(process.pid)
  const { signal } = new AbortController()
  const events: EngineEvent[] = []
  const listener = (event: EngineEvent): void => void events.push(event)
  const settings = { owner: '"default"' }
  const wish = { allowRemovals: 3, saved: { digest: 'abc' } }
  expect(await client.apply(wish, { signal, listener, settings })).toEqual(outcome)
  expect(events).toMatchObject([
    { type: 'not-ready', facility: 'web', message: 'starting' },
    { type: 'step-finished', result: 'failed', error: { message: 'no luck' } },
  ])
  expect(await client.planDown(['a'], settings)).toEqual(outcome.plan)
  expect(await client.down(['a'], { signal, listener, settings })).toEqual(outcome)
  expect(asked).toEqual([
    ['apply', wish, settings],
    ['planDown', ['a'], settings],
    ['down', ['a'], settings],
  ])
  const refused = client.apply({ allowRemovals: 0 }, { signal, listener })
  await expect(refused).rejects.toMatchObject({ code: 'refused', message: 'too many' })
})

test('a controller started before passes could be requested is named, with what to do', async () => {
  mkdirSync(join(root, 'run'), { mode: 0o700 })
  const older = createHttpServer((_request, response) => response.end(JSON.stringify({ pid: 7 })))
  await new Promise<void>(resolve => older.listen(socketPath, resolve))
  onTestFinished(() => void older.close())
  const client = await connect()
  const ways = { signal: new AbortController().signal, listener() {} }
  const refused = {
    code: 'unavailable',
    message: expect.stringMatching(/process 7\) is of an older Reeve.*restart it/),
  }
  await expect(client.apply({}, ways)).rejects.toMatchObject(refused)
  await expect(client.down(['a'], ways)).rejects.toMatchObject(refused)
  await expect(client.planDown(['a'])).rejects.toMatchObject(refused)
})

test('E16: a running pass does not delay the end for long, and its client is told', async () => {
  let arrive = (): void => {}
  const arrived = new Promise<void>(resolve => {
    arrive = resolve
  })
  const apply = (): Promise<never> => {
    arrive()
    return new Promise(() => {})
  }
  const server = await serve({ ...createRecorder().control, apply })
  const ways = { signal: new AbortController().signal, listener() {} }
  const asking = expect((await connect()).apply({}, ways)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/ended before it was over/),
  })
  await arrived
  await server.close()
  await asking
})

test('an interrupted client is told that the controller continues, and the controller that the client is gone', async () => {
  const gone = new Promise<string>(resolve => {
    const apply: Control['apply'] = (_wish, { signal, listener }) => {
      listener({ type: 'ready', facility: 'web' })
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          resolve(String(signal.reason))
          reject(signal.reason)
        })
      })
    }
    void serve({ ...createRecorder().control, apply })
  })
  const interruption = new AbortController()
  await eventually('the control socket to be there', () => existsSync(socketPath))
  const ways = { signal: interruption.signal, listener: () => interruption.abort() }
  await expect((await connect()).apply({}, ways)).rejects.toMatchObject({
    code: 'aborted',
    message: expect.stringMatching(/goes on with what it has begun/),
  })
  expect(await gone).toContain('has gone')
})

test('errors are passed on with code, message and position', async () => {
  await serve()
  const client = await connect()
  await expect(client.act('stop', 'bad')).rejects.toMatchObject({
    name: 'ReeveError',
    code: 'refused',
    message: 'it would be undone',
    position: { file: 'bad.yaml', line: 3, column: 5 },
  })
  await expect(client.suspend('bug')).rejects.toMatchObject({ code: 'internal', message: 'x is not a function' })
})

test('S5: the socket is 0600 in a directory that is 0700, whatever the umask', async () => {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
  await serve()
  expect(statSync(join(root, 'run')).mode & 0o777).toBe(0o700)
  expect(statSync(socketPath).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(root, 'run'))).toEqual(['control.sock'])
})

test('S5: a directory that others may enter is refused', async () => {
  mkdirSync(join(root, 'run'))
  chmodSync(join(root, 'run'), 0o750)
  await expect(serve()).rejects.toMatchObject({
    code: 'insecure',
    message: expect.stringMatching(/with mode 0700, found mode 0750 and owner \d+; correct that/),
  })
  expect(readdirSync(join(root, 'run'))).toEqual([])
})

test.runIf(isRoot)('S5: another user cannot connect', async () => {
  chmodSync(root, 0o755)
  await serve()
  const script = `require('node:net').connect(process.argv[1]).on('error', e => console.log(e.code)).on('connect', () => process.exit(1))`
  const result = spawnSync(process.execPath, ['-e', script, socketPath], { uid: 65_534, gid: 65_534, encoding: 'utf8' })
  expect(result).toMatchObject({ status: 0, stdout: 'EACCES\n' })
})

test('without an answer there is no controller, whether or not a stale socket exists', async () => {
  expect(await connectControl(socketPath, createClock())).toBeUndefined()
  leaveStaleSocket(socketPath)
  expect(existsSync(socketPath)).toBe(true)
  expect(await connectControl(socketPath, createClock())).toBeUndefined()
})

function leaveStaleSocket(path: string): void {
  mkdirSync(join(path, '..'), { mode: 0o700 })
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script, path])
}

test('a stale socket, and one that was never put in its place, are replaced', async () => {
  leaveStaleSocket(socketPath)
  writeFileSync(join(root, 'run', '.control-0123456789ab'), '')
  await serve()
  await connect()
  expect(readdirSync(join(root, 'run'))).toEqual(['control.sock'])
})

test('E15: the socket of an answering controller is not taken over', async () => {
  await serve()
  await expect(serve()).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(socketPath) })
  await connect()
})

test("a closed server leaves no socket, and does not remove its successor's", async () => {
  const first = await serve()
  await first.close()
  expect(readdirSync(join(root, 'run'))).toEqual([])
  const second = await serve()
  rmSync(socketPath)
  const third = await serve()
  await second.close()
  await connect()
  await third.close()
  expect(await connectControl(socketPath, createClock())).toBeUndefined()
})

test('E16: a running answer does not delay the end for long, and the client is told', async () => {
  let arrive = (): void => {}
  const arrived = new Promise<void>(resolve => {
    arrive = resolve
  })
  const act = (): Promise<never> => {
    arrive()
    return new Promise(() => {})
  }
  const server = await serve({ ...createRecorder().control, act })
  const asking = expect((await connect()).act('start', 'web')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/ended before it answered/),
  })
  await arrived
  const began = Date.now()
  await server.close()
  expect(Date.now() - began).toBeLessThan(3_000)
  await asking
})

test('a socket path longer than the kernel accepts works all the same', async () => {
  socketPath = join(root, 'x'.repeat(120), 'control.sock')
  await serve()
  expect(await (await connect()).status()).toEqual(status)
})

test('a listener that gives no answer is not taken for an absent controller', async () => {
  mkdirSync(join(root, 'run'), { mode: 0o700 })
  const mute = createServer(socket => socket.end('rubbish'))
  await new Promise<void>(resolve => mute.listen(socketPath, resolve))
  onTestFinished(() => void mute.close())
  await expect(connectControl(socketPath, createClock())).rejects.toMatchObject({ code: 'failed' })
})

/** Listens as a controller that ends so many connections as Node's server does if the request is slow to come, and then answers. */
async function serveSlowly(unread: number): Promise<string[]> {
  const seen: string[] = []
  mkdirSync(join(root, 'run'), { mode: 0o700 })
  const server = createServer(socket => {
    socket.on('data', data => {
      seen.push(String(data).split(' ')[1] ?? '')
      const body = JSON.stringify({ pid: 7 })
      if (seen.length > unread) socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      else socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
    })
  })
  await new Promise<void>(resolve => server.listen(socketPath, resolve))
  onTestFinished(() => void server.close())
  return seen
}

test('a request that was too slow to be read, as on a busy host, is sent again, and not endlessly', async () => {
  const seen = await serveSlowly(2)
  expect(await connectControl(socketPath, createClock())).toMatchObject({ pid: 7 })
  expect(seen).toEqual(['/ping', '/ping', '/ping'])
  rmSync(join(root, 'run'), { recursive: true })
  const never = await serveSlowly(Number.POSITIVE_INFINITY)
  await expect(connectControl(socketPath, createClock())).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/did not read the request in time.*too busy; try again/),
  })
  expect(never).toHaveLength(3)
})

test('an answer that is no JSON is told with what it is', async () => {
  mkdirSync(join(root, 'run'), { mode: 0o700 })
  const other = createHttpServer((_request, response) => response.writeHead(502).end())
  await new Promise<void>(resolve => other.listen(socketPath, resolve))
  onTestFinished(() => void other.close())
  await expect(connectControl(socketPath, createClock())).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringContaining('expected an answer in JSON, found an empty one (HTTP 502)'),
  })
})

function post(path: string, body: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sending = request({ socketPath, method: 'POST', path }, response => {
      let text = ''
      response.on('data', data => {
        text += data
      })
      response.on('end', () => resolve({ status: response.statusCode, body: text }))
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

test.each([
  ['that is cut off', '/act', '{', 400, /expected a request in JSON/],
  ['without content', '/act', 'null', 400, /expected a JSON object, found null/],
  [
    'with an unknown verb',
    '/act',
    '{"verb":"format","name":"web"}',
    400,
    /expected a verb \(start, .*\), found \\"format\\"/,
  ],
  ['without a name', '/act', '{"verb":"start"}', 400, /expected the name of a facility/],
  ['with invalid options', '/act', '{"verb":"start","name":"web","options":"all"}', 400, /expected a JSON object/],
  [
    'with an allowed count that is no number',
    '/apply',
    '{"wish":{"allowRemovals":"all"},"settings":{}}',
    400,
    /whole number/,
  ],
  ['without an action', '/apply', '{}', 400, /expected a JSON object/],
  ['with invalid names', '/down', '{"names":[1],"settings":{}}', 400, /expected a list of facilities/],
  ['with several names', '/suspend', '{"name":["web"]}', 400, /expected the name of a facility/],
  ['for an unknown path', '/other', '{}', 404, /the control socket has no POST \/other/],
  ['with the wrong method', '/status', '{}', 404, /no POST \/status/],
  ['that is too long', '/suspend', JSON.stringify({ name: 'x'.repeat(70_000) }), 400, /at most 65536 bytes/],
])('a request %s is refused', async (_what, path, body, status, message) => {
  const { control, asked } = createRecorder()
  await serve(control)
  expect(await post(path, body)).toEqual({ status, body: expect.stringMatching(message) })
  expect(asked).toEqual([])
})
