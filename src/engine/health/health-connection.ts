import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ProbeHost } from '../../core/contracts/host.ts'
import type { HttpCheck, StatusRange } from '../../core/model/facility.ts'
import { requestOptions } from './http-request.ts'
import type { ProbeResult } from './probe-result.ts'

/** Limits of the headers of an answer, in bytes, and of interim answers (100 Continue, 103 Early Hints) before it. */
const headerLimit = 16 * 1024
const mostInterim = 8

/**
 * Health probe over HTTP, which is healthy if the status is an expected one. Redirects aren't followed. The connection ends once the
 * status is known. Rejects with the problem, or with the signal's reason.
 */
export async function probeHttp(check: HttpCheck, host: ProbeHost, signal: AbortSignal): Promise<ProbeResult> {
  const { url } = check
  const { get } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
  if (signal.aborted) throw signal.reason
  const own = requestOptions(check, host)
  return new Promise((resolve, reject) => {
    let interim = 0
    // Instead of the option `signal`: the listener is removed, and no answer goes on after the probe.
    const request: ClientRequest = get(url, { ...own, agent: false, maxHeaderSize: headerLimit })
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      request.destroy()
      settle()
    }
    const fail = (error: unknown): void => end(() => reject(error))
    const onAbort = (): void => fail(signal.reason)
    const answered = ({ statusCode = 0 }: IncomingMessage): void => end(() => resolve(judgeStatus(check, statusCode)))
    signal.addEventListener('abort', onAbort, { once: true })
    request.once('response', answered)
    request.once('upgrade', (response: IncomingMessage, socket: Socket) => {
      socket.destroy()
      answered(response)
    })
    request.on('information', () => {
      interim += 1
      if (interim > mostInterim) fail(new Error(`${url} sent more than ${mostInterim} interim answers (100 to 199)`))
    })
    request.on('error', fail)
    request.on('close', () => fail(new Error(`${url} ended the connection without an answer`)))
  })
}

function judgeStatus({ url, statuses }: HttpCheck, status: number): ProbeResult {
  const expected = statuses ?? usualStatuses
  if (expected.some(({ from, to }) => status >= from && status <= to)) return { healthy: true }
  const others = statuses ? `, expected ${statuses.map(describeRange).join(', ')}` : ''
  return { healthy: false, message: `${url} answered ${status}${others}` }
}

const usualStatuses: readonly StatusRange[] = [{ from: 200, to: 399 }]

function describeRange({ from, to }: StatusRange): string {
  return from === to ? String(from) : `${from}-${to}`
}

/** Health probe over TCP, which is healthy if a connection is accepted. Rejects with the problem, or with the signal's reason. */
export async function probeTcp(
  address: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { connect } = await import('node:net')
  if (signal.aborted) throw signal.reason
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port })
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      settle()
    }
    const onAbort = (): void => end(() => reject(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', error => end(() => reject(error)))
    socket.on('connect', () => end(() => resolve({ healthy: true })))
  })
}
