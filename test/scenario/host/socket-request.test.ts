import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createPlainServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Effect } from '../../../src/host/effects.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

const host = createReadHost({ provider: 'mine', socketQueries: [() => true] })

function makePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-socket-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'http.sock')
}

async function serve(answer: RequestListener): Promise<string> {
  const path = makePath()
  const server = createServer(answer).listen(path)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return path
}

/** Answers that no HTTP server would give. */
async function serveBytes(answer: (socket: Socket) => void): Promise<string> {
  const path = makePath()
  const sockets: Socket[] = []
  const server = createPlainServer(socket => {
    sockets.push(socket.on('error', () => {}))
    answer(socket)
  }).listen(path)
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return path
}

test('a request has its method, path, headers and body, and its answer has status and text', async () => {
  const path = await serve(async (request, response) => {
    const body = (await request.toArray()).join('')
    const { method, url, headers } = request
    response.writeHead(207)
    response.end(`${method} ${url} ${headers['content-type']} ${headers['content-length']} ${body}`)
  })
  const headers = { 'Content-Type': 'text/xml' }
  expect(await host.querySocket(path, { method: 'POST', path: '/RPC2?a=1', headers, body: '<é/>' })).toEqual({
    status: 207,
    body: 'POST /RPC2?a=1 text/xml 5 <é/>',
  })
  expect((await host.querySocket(path, { path: '/status' })).body).toBe('GET /status undefined undefined ')
})

test('an error status is a result, and a redirect is not followed', async () => {
  let asked = 0
  const path = await serve((request, response) => {
    asked += 1
    response.writeHead(request.url === '/moved' ? 302 : 500, { Location: '/elsewhere' }).end('no')
  })
  expect(await host.querySocket(path, { path: '/broken' })).toEqual({ status: 500, body: 'no' })
  expect(await host.querySocket(path, { path: '/moved' })).toEqual({ status: 302, body: 'no' })
  expect(asked).toBe(2)
})

test('E2: an undeclared request is never sent', async () => {
  let asked = 0
  const path = await serve((_, response) => {
    asked += 1
    response.end()
  })
  const observing = createReadHost({ provider: 'mine', socketQueries: [{ method: 'GET', path: '/status' }] })
  await observing.querySocket(path, { path: '/status' })
  for (const request of [{ path: '/stop' }, { method: 'POST', path: '/status' }, { path: '/status/../stop' }]) {
    await expect(observing.querySocket(path, request)).rejects.toMatchObject({ code: 'internal' })
  }
  await expect(createReadHost().querySocket(path, { path: '/' })).rejects.toThrow(/\(none\), found: GET \//)
  expect(asked).toBe(1)
})

test('acting code may make any request, which is an effect', async () => {
  const path = await serve((request, response) => response.end(request.method))
  const effects: string[] = []
  const onEffect = ({ kind, target }: Effect, phase: string): number => effects.push(`${phase} ${kind} ${target}`)
  const acting = createWriteHost({ onEffect })
  expect((await acting.requestSocket(path, { method: 'DELETE', path: '/web' })).body).toBe('DELETE')
  expect(effects).toEqual([`before request DELETE ${path} /web`, `after request DELETE ${path} /web`])
  await expect(acting.querySocket(path, { path: '/' })).rejects.toMatchObject({ code: 'internal' })
})

test('a query is asked again where the server hangs up before it answers, and a request is not', async () => {
  let count = 0
  const path = await serveBytes(socket => {
    count += 1
    if (count % 3 !== 0) socket.destroy()
    else socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  expect(await host.querySocket(path, { path: '/' })).toEqual({ status: 200, body: 'ok' })
  expect(count).toBe(3)
  await expect(createWriteHost().requestSocket(path, { path: '/' })).rejects.toMatchObject({ code: 'failed' })
  expect(count).toBe(4)
})

test('a request with patience waits for a server that is away, and no longer than that', async () => {
  const path = makePath()
  const clock = createManualClock()
  const query = () =>
    createReadHost({ socketQueries: [() => true], clock }).querySocket(path, { path: '/', patience: 150 })
  const refused = query().catch((error: unknown) => error)
  for (let tries = 0; tries < 3; tries += 1) {
    await clock.untilPending(2) // its time limit, and the next try
    await clock.advance(50)
  }
  expect(await refused).toMatchObject({ code: 'unavailable' })
  const answered = query()
  await clock.untilPending(2)
  const server = createServer((_request, response) => response.end('back')).listen(path)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  await clock.advance(50)
  expect(await answered).toEqual({ status: 200, body: 'back' })
})

describe('a socket without an answer', () => {
  test('is unavailable if nothing listens', async () => {
    const path = makePath()
    await expect(host.querySocket(path, { path: '/' })).rejects.toMatchObject({
      code: 'unavailable',
      message: `nothing listens at ${path} (ENOENT); check that its service runs`,
    })
    writeFileSync(path, '')
    await expect(host.querySocket(path, { path: '/' })).rejects.toThrow(`nothing listens at ${path} (ECONNREFUSED)`)
    await expect(host.querySocket(`/tmp/${'x'.repeat(200)}`, { path: '/' })).rejects.toMatchObject({ code: 'invalid' })
  })

  test.each<[string, (socket: Socket) => void]>([
    ['silent', () => {}],
    ['with only a beginning', socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')],
    ['endless', socket => socket.write('HTTP/1.1 200 OK\r\n\r\nfor ever')],
    ['with endless 100 Continue', socket => socket.write('HTTP/1.1 100 Continue\r\n\r\n')],
  ])('is unavailable at the timeout: %s', async (_, answer) => {
    const clock = createManualClock()
    let hear = (): void => {}
    const heard = new Promise<void>(resolve => {
      hear = resolve
    })
    const path = await serveBytes(socket => {
      answer(socket)
      socket.once('data', hear)
    })
    const asked = createReadHost({ socketQueries: [() => true], clock }).querySocket(path, { path: '/x', timeout: 500 })
    const seen = asked.catch((error: unknown) => error)
    await heard
    await clock.advance(500)
    expect(await seen).toMatchObject({
      code: 'unavailable',
      message: `${path} gave no whole answer to GET /x within 500 ms; see whether its service hangs`,
    })
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['half a header', 'HTTP/1.1 200 OK\r\nContent-'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'],
    ['another protocol', '220 smtp ready\r\n'],
    ['a change of protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['a header without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
  ])('fails if the answer is truncated or no HTTP: %s', async (_, bytes) => {
    const path = await serveBytes(socket => socket.once('data', () => socket.end(bytes)))
    await expect(host.querySocket(path, { path: '/' })).rejects.toMatchObject({ code: 'failed' })
  })

  test('fails if the answer exceeds the limit, in whatever form', async () => {
    const path = await serve((_, response) => {
      const write = (): boolean => response.write('x'.repeat(1_000))
      response.on('drain', write)
      while (write()) {}
    })
    await expect(host.querySocket(path, { path: '/', limit: 10_000 })).rejects.toMatchObject({
      code: 'failed',
      message: `expected an answer of at most 10000 bytes from ${path}, found a larger one`,
    })
  })

  test('is aborted by the signal, before and meanwhile', async () => {
    const controller = new AbortController()
    const path = await serve(() => controller.abort(new Error('not wanted')))
    const { signal } = controller
    for (const _ of ['meanwhile', 'before']) {
      await expect(host.querySocket(path, { path: '/', signal })).rejects.toMatchObject({
        code: 'aborted',
        message: `GET / to ${path} was given up`,
      })
    }
  })
})
