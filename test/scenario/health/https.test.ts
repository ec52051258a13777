import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { HttpCheck } from '../../../src/core/model/facility.ts'
import { probeHealth } from '../../../src/engine/health/health-probe.ts'
import type { ProbeResult } from '../../../src/engine/health/probe-result.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createEngineLab, longRun, reasonOf } from '../../labs/engine-lab.ts'

const hasTool = spawnSync('openssl', ['version']).status === 0
const never = new AbortController().signal

/** Directory that only root can change, as needed for files that root reads for a check. */
let place = ''
beforeAll(() => {
  place = mkdtempSync(join(process.geteuid?.() === 0 ? '/root' : process.cwd(), '.reeve-tls-'))
})
afterAll(() => rmSync(place, { recursive: true }))

const path = (name: string): string => join(place, name)

/** Certificate authority of its own, and its certificate for these names. */
function makeCertificate(name: string, names: string): void {
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: place, encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    `${name}-ca.key`,
    '-out',
    `${name}-ca.pem`,
    '-subj',
    '/CN=private',
    '-days',
    '2',
  )
  openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=service')
  writeFileSync(path(`${name}.ext`), `subjectAltName=${names}\n`)
  const signed = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial', '-days', '2']
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`, '-extfile', `${name}.ext`)
}

function optionsOf(name: string): ServerOptions {
  return { key: readFileSync(path(`${name}.key`)), cert: readFileSync(path(`${name}.pem`)) }
}

interface Endpoint {
  readonly port: number
  readonly asked: IncomingMessage[]
  /** Server names that clients asked for. */
  readonly serverNames: unknown[]
}

async function serve(tls: ServerOptions | undefined, status: () => number = () => 200): Promise<Endpoint> {
  const asked: IncomingMessage[] = []
  const serverNames: unknown[] = []
  const answer = (request: IncomingMessage, response: { writeHead(status: number): { end(): void } }): void => {
    asked.push(request)
    response.writeHead(status()).end()
  }
  const server = tls ? createServer(tls, answer) : createHttpServer(answer)
  server.on('secureConnection', (socket: TLSSocket) => serverNames.push(Reflect.get(socket, 'servername')))
  server.on('tlsClientError', () => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, asked, serverNames }
}

function probe(check: Omit<HttpCheck, 'type'>): Promise<ProbeResult> {
  const times = { interval: 1_000, timeout: 5_000, failureThreshold: 1, startupTimeout: 1_000 }
  const health = { check: { type: 'http', ...check }, ...times, onFailure: 'report' } as const
  return probeHealth({ health }, createWriteHost(), createClock(), never)
}

const healthy = { healthy: true }
const ill = (message: RegExp): object => ({ healthy: false, message: expect.stringMatching(message) })

describe.skipIf(!hasTool)('a health check over TLS', () => {
  test('trusts a private authority by its file, which is read each time, and by nothing else', async () => {
    makeCertificate('first', 'DNS:localhost,IP:127.0.0.1')
    makeCertificate('second', 'DNS:localhost,IP:127.0.0.1')
    const { port } = await serve(optionsOf('first'))
    const url = `https://localhost:${port}/`
    expect(await probe({ url })).toMatchObject(ill(/certificate/))
    const ca = path('ca.pem')
    copyFileSync(path('first-ca.pem'), ca)
    expect(await probe({ url, ca })).toEqual(healthy)
    expect(await probe({ url: `https://127.0.0.1:${port}/`, ca })).toEqual(healthy)
    copyFileSync(path('second-ca.pem'), ca)
    expect(await probe({ url, ca })).toMatchObject(ill(/certificate/))
    copyFileSync(path('first-ca.pem'), ca)
    expect(await probe({ url, ca })).toEqual(healthy)
    expect(await probe({ url, insecureSkipVerify: true })).toEqual(healthy)
    expect(await probe({ url, ca: path('none.pem') })).toMatchObject(ill(/there is no file .*none\.pem/))
    expect(await probe({ url, ca: path('first.ext') })).toMatchObject(ill(/there is no certificate in .*first\.ext/))
  })

  test('requires a certificate for the host in the URL, whatever the Host header', async () => {
    makeCertificate('named', 'DNS:localhost')
    const { port, serverNames, asked } = await serve(optionsOf('named'))
    const ca = path('named-ca.pem')
    expect(await probe({ url: `https://127.0.0.1:${port}/`, ca })).toMatchObject(ill(/IP|altnames/i))
    const headers = { Host: 'shop.example' }
    expect(await probe({ url: `https://localhost:${port}/`, ca, headers })).toEqual(healthy)
    expect(serverNames.at(-1)).toBe('localhost')
    expect(asked.at(-1)?.headers.host).toBe('shop.example')
  })
})

test('accepts a status, a range or a list, and reports what was expected', async () => {
  let status = 503
  const { port } = await serve(undefined, () => status)
  const url = `http://127.0.0.1:${port}/`
  expect(await probe({ url })).toMatchObject(ill(/answered 503$/))
  expect(await probe({ url, statuses: [{ from: 503, to: 503 }] })).toEqual(healthy)
  status = 302
  expect(await probe({ url })).toEqual(healthy)
  const statuses = [
    { from: 200, to: 299 },
    { from: 401, to: 401 },
  ]
  expect(await probe({ url, statuses })).toMatchObject(ill(/answered 302, expected 200-299, 401$/))
  status = 401
  expect(await probe({ url, statuses })).toEqual(healthy)
})

test('sends headers, those from files as they are now, and no message contains them', async () => {
  const { port, asked } = await serve(undefined)
  const url = `http://127.0.0.1:${port}/`
  const token = path('token')
  const headers = { 'X-Probe': 'reeve', Authorization: { fromFile: token } }
  writeFileSync(token, 'Bearer hush-1\n', { mode: 0o600 })
  expect(await probe({ url, headers })).toEqual(healthy)
  writeFileSync(token, 'Bearer hush-2')
  expect(await probe({ url, headers })).toEqual(healthy)
  expect(asked.map(request => [request.headers['x-probe'], request.headers.authorization])).toEqual([
    ['reeve', 'Bearer hush-1'],
    ['reeve', 'Bearer hush-2'],
  ])
  for (const content of ['hush\nhush', 'hush\0', 'x'.repeat(20_000)]) {
    writeFileSync(token, content)
    const result = await probe({ url, headers })
    expect(result).toMatchObject(ill(/token/))
    expect(JSON.stringify(result)).not.toMatch(/hush|xxx/)
  }
  rmSync(token)
  expect(await probe({ url, headers })).toMatchObject(ill(/there is no file .*token/))
  expect(asked).toHaveLength(2)
})

test.skipIf(process.geteuid?.() !== 0)('S8: reads as root no file that others can replace', async () => {
  const { port, asked } = await serve(undefined)
  const open = mkdtempSync('/tmp/reeve-open-')
  onTestFinished(() => rmSync(open, { recursive: true }))
  chmodSync(open, 0o777)
  writeFileSync(join(open, 'token'), 'hush')
  const headers = { Authorization: { fromFile: join(open, 'token') } }
  expect(await probe({ url: `http://127.0.0.1:${port}/`, headers })).toMatchObject(ill(/as root/))
  expect(asked).toHaveLength(0)
})

test('S4: shows the secret of a header in no plan, record, log or status', async () => {
  writeFileSync(path('secret'), 'hush-hush\n', { mode: 0o600 })
  const { port } = await serve(undefined, () => 403)
  await using lab = createEngineLab({ configuration: 'resync: 1s' })
  const http = { url: `http://127.0.0.1:${port}/`, headers: { Authorization: { fromFile: path('secret') } } }
  lab.declare('web', { process: longRun(), health: { http, interval: '1s', startupTimeout: '1s' } })
  const planned = await lab.plan()
  const controller = await lab.run()
  await eventually('it to be unhealthy', async () => reasonOf(await controller.status('web'), 'Ready') === 'Unhealthy')
  const told = JSON.stringify([planned, controller.log, await controller.control.status(), lab.history()])
  expect(told).not.toContain('hush')
  const kept = spawnSync('grep', ['-rl', 'hush', lab.stateDirectory, lab.supervisorDirectory], { encoding: 'utf8' })
  expect(kept.stdout).toBe('')
})
