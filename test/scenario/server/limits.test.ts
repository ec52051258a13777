import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createConnection, type NetConnectOpts, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Control } from '../../../src/core/contracts/control.ts'
import { createClock } from '../../../src/host/clock.ts'
import { connectControl } from '../../../src/server/control-client.ts'
import { serveControl } from '../../../src/server/control-server.ts'
import { createMetrics } from '../../../src/server/metrics.ts'
import { serveMetrics } from '../../../src/server/metrics-server.ts'

const clock = createClock()

/** Server under attack: how to connect to it, and how a regular client is served meanwhile. */
interface Place {
  readonly address: NetConnectOpts
  ask(): Promise<unknown>
}

async function openMetrics(): Promise<Place> {
  const server = await serveMetrics({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: await createMetrics(),
    clock,
    standstill: () => undefined,
    complaints: () => [],
    isReady: () => true,
  })
  onTestFinished(() => server.close())
  return {
    address: { host: '127.0.0.1', port: server.port },
    ask: async () => (await fetch(`http://127.0.0.1:${server.port}/healthz`)).text(),
  }
}

const noPass = (): Promise<never> => Promise.reject(new Error('nobody asks for a pass here'))

/** Controller whose `act` takes as long as the test wants. */
async function openControl(act: Control['act'] = async () => ({ changed: false, message: '' })): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'reeve-limits-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const path = join(root, 'run', 'control.sock')
  const outcome = async () => ({ changed: false, message: '' })
  const control: Control = {
    status: async () => ({ facilities: [] }),
    act,
    suspend: outcome,
    resume: outcome,
    apply: noPass,
    planDown: noPass,
    down: noPass,
    sync: noPass,
    accept: noPass,
    rollback: noPass,
  }
  const server = await serveControl(control, path, clock)
  onTestFinished(() => server.close())
  return { address: { path }, ask: async () => (await connectControl(path, clock))?.status() }
}

const places = { metrics: openMetrics, control: openControl }

/** Connections, one after the other, that each send this and read nothing. */
async function attack({ address }: Place, count: number, text: string): Promise<Socket[]> {
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let index = 0; index < count; index += 1) {
    await new Promise<void>(resolve => {
      const socket = createConnection(address, resolve)
      socket.on('error', () => resolve())
      socket.write(text)
      sockets.push(socket)
    })
  }
  return sockets
}

/** File descriptors of this process, which is that of the server and of its clients. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

const attacks: [name: string, text: string][] = [
  ['say nothing', ''],
  ['send half a request', 'GET /metrics HTTP/1.1\r\nhost: x\r\nx-more: '],
  ['announce a body and send none', 'POST /act HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{'],
  ['ask and ask and read nothing', 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200)],
  ['send an endless line', `GET /${'x'.repeat(1_000_000)}`],
]

test.each(
  (['metrics', 'control'] as const).flatMap(where => attacks.map(([name, text]) => [where, name, text] as const)),
)('S12: the server of %s answers at once while 400 clients %s', async (where, _, text) => {
  const place = await places[where]()
  await place.ask()
  const before = openDescriptors()
  const sockets = await attack(place, 400, text)
  const began = performance.now()
  await place.ask()
  expect(performance.now() - began).toBeLessThan(1_000)
  // The clients' ends of connections are in this process too, until they notice the end.
  await eventually('only some to be left', () => {
    for (const socket of sockets) socket.resume()
    return openDescriptors() - before <= 2 * 64 + 8
  })
})

test.each(['metrics', 'control'] as const)(
  'S12: a client of %s that does not finish its request is disconnected',
  async where => {
    const place = await places[where]()
    const [socket] = await attack(place, 1, 'GET /metrics HTTP/1.1\r\nhost: x\r\n')
    const began = performance.now()
    let closed = false
    let answer = ''
    socket?.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    socket?.on('close', () => {
      closed = true
    })
    await eventually('it to be ended', () => closed)
    expect(performance.now() - began).toBeLessThan(9_000)
    // This tells a client whose request was slow on a busy host that it can send it again.
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
  },
)

test('a manual action in progress is not ended to make room for other clients', async () => {
  let finish: (() => void) | undefined
  const place = await openControl(async () => {
    await new Promise<void>(resolve => {
      finish = resolve
    })
    return { changed: true, message: 'started' }
  })
  const { address } = place
  const control =
    'path' in address && address.path !== undefined ? await connectControl(address.path, clock) : undefined
  const execution = control?.act('start', 'web')
  await eventually('it to be under way', () => finish !== undefined)
  await attack(place, 300, '')
  finish?.()
  expect(await execution).toEqual({ changed: true, message: 'started' })
})

test.each(['metrics', 'control'] as const)(
  'a request target that is no path is a bad request to the server of %s',
  async where => {
    const place = await places[where]()
    for (const target of ['http://[', 'http://a:b:c/', '//[', 'http://%']) {
      const answer = await new Promise<string>((resolve, reject) => {
        let text = ''
        const socket = createConnection(place.address)
        socket.on('error', reject).on('data', data => {
          text += data
        })
        socket.on('close', () => resolve(text))
        socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
      })
      expect(answer, target).toMatch(/^HTTP\/1.1 400 /)
      expect(answer).not.toContain('Invalid URL')
    }
  },
)
