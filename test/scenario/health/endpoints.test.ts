import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Health } from '../../../src/core/model/facility.ts'
import { probeHealth } from '../../../src/engine/health/health-probe.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'

const clock = createClock()
const host = createWriteHost()
const never = new AbortController().signal

interface Endpoint {
  readonly port: number
  /** Connections that were made, and those that are still open. */
  readonly connections: { made: number; open: number }
}

/** Server on loopback that handles each connection as the test says. */
async function listen(serve: (socket: Socket) => void): Promise<Endpoint> {
  const connections = { made: 0, open: 0 }
  const server = createServer(socket => {
    connections.made += 1
    connections.open += 1
    socket.on('error', () => {})
    // Without reading, it would never notice the end.
    socket.resume()
    socket.on('close', () => {
      connections.open -= 1
    })
    serve(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, connections }
}

/** Sends the text repeatedly, as fast as the other side takes it. */
function forEver(socket: Socket, text: string): void {
  const send = (): void => {
    while (!socket.destroyed && socket.write(text));
    if (!socket.destroyed) socket.once('drain', send)
  }
  send()
}

/** Sends the text every 20 ms. */
function trickle(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 20)
  socket.on('close', () => clearInterval(timer))
}

function checkOf(port: number, timeout = 1_000): { health: Health } {
  const check = { type: 'http', url: `http://127.0.0.1:${port}/` } as const
  return {
    health: { check, interval: 1_000, timeout, failureThreshold: 1, startupTimeout: 1_000, onFailure: 'report' },
  }
}

const hostile: [name: string, serve: (socket: Socket) => void, expected: object][] = [
  [
    'answers 200 and continues to send',
    socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      forEver(socket, 'x'.repeat(65_536))
    },
    { healthy: true },
  ],
  [
    'is an event stream',
    socket => socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n'),
    { healthy: true },
  ],
  [
    'trickles an endless body',
    socket => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      trickle(socket, '1\r\nx\r\n')
    },
    { healthy: true },
  ],
  [
    'sends endless 100 Continue',
    socket => forEver(socket, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
    { healthy: false, message: expect.stringContaining('more than 8 interim answers') },
  ],
  [
    'sends endless 103 Early Hints, slowly',
    socket => trickle(socket, 'HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'),
    { healthy: false, message: expect.stringContaining('more than 8 interim answers') },
  ],
  [
    'sends endless headers',
    socket => {
      socket.write('HTTP/1.1 200 OK\r\n')
      forEver(socket, `x-more: ${'y'.repeat(1_000)}\r\n`)
    },
    { healthy: false, message: expect.stringContaining('Header') },
  ],
  [
    'trickles its headers',
    socket => {
      socket.write('HTTP/1.1 200 OK\r\n')
      trickle(socket, 'x: y\r\n')
    },
    { healthy: false, message: 'no answer in 1000 ms' },
  ],
  ['sends nothing', () => {}, { healthy: false, message: 'no answer in 1000 ms' }],
  [
    'switches protocols',
    socket => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    { healthy: false, message: expect.stringContaining('answered 101') },
  ],
  ['hangs up', socket => socket.end(), { healthy: false, message: expect.stringContaining('hang up') }],
  [
    'speaks no HTTP',
    socket => socket.write('SSH-2.0-x\r\n'),
    { healthy: false, message: expect.stringContaining('Parse Error') },
  ],
]

test.each(hostile)(
  'S12: an endpoint that %s gets a result in time, and no connection stays open',
  async (_, serve, expected) => {
    const { port, connections } = await listen(serve)
    const cpu = process.cpuUsage()
    const began = performance.now()
    expect(await probeHealth(checkOf(port), host, clock, never)).toMatchObject(expected)
    expect(performance.now() - began).toBeLessThan(2_000)
    await eventually('the connection to end', () => connections.open === 0)
    const { user, system } = process.cpuUsage(cpu)
    expect((user + system) / 1_000).toBeLessThan(900)
    expect(connections.made).toBe(1)
  },
)

test('a redirect is an answer and is not followed', async () => {
  const elsewhere = await listen(socket => socket.end('HTTP/1.1 500 No\r\n\r\n'))
  const { port } = await listen(socket =>
    socket.write(`HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:${elsewhere.port}/\r\n\r\n`),
  )
  expect(await probeHealth(checkOf(port), host, clock, never)).toEqual({ healthy: true })
  expect(elsewhere.connections.made).toBe(0)
})

test('an aborted probe closes its connection at once', async () => {
  const { port, connections } = await listen(() => {})
  const giving = new AbortController()
  const probing = probeHealth(checkOf(port, 600_000), host, clock, giving.signal)
  await eventually('the connection', () => connections.open === 1)
  giving.abort(new Error('overtaken'))
  expect(await probing).toEqual({ healthy: false, message: 'overtaken' })
  await eventually('the connection to end', () => connections.open === 0)
})

test('apply ends even if the service answers 200 and continues to send', async () => {
  const port = await findFreePort()
  // Served by the service itself: no other answer counts.
  const script = `require('node:net').createServer(socket => {
    socket.on('error', () => {}).write('HTTP/1.1 200 OK\\r\\n\\r\\n')
    setInterval(() => socket.write('more\\n'), 20)
  }).listen(${port}, '127.0.0.1')`
  await using lab = createEngineLab()
  const health = { http: { url: `http://127.0.0.1:${port}/` }, interval: '10s', timeout: '60s' }
  lab.declare('web', { process: { command: [process.execPath, '-e', script] }, health })
  const began = performance.now()
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
  expect(performance.now() - began).toBeLessThan(50_000)
})
