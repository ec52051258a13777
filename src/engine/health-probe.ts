import type { ClientRequest } from 'node:http'
import type { Health } from '../core/facility.ts'
import type { WriteHost } from '../core/provider.ts'
import { messageOf } from '../core/reeve-error.ts'

export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly message: string }

/** Asks once. Never rejects: whatever goes wrong is unhealthy. An HTTP status from 200 to 399 is healthy. */
export async function probeHealth(
  health: Health,
  host: Pick<WriteHost, 'run'>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { check } = health
  const limit = AbortSignal.any([signal, AbortSignal.timeout(health.timeout)])
  try {
    if (check.type === 'http') return await probeHttp(check.url, limit)
    if (check.type === 'tcp') return await probeTcp(check.host, check.port, limit)
    const { exitCode } = await host.run(check.command, { timeout: health.timeout, signal })
    return exitCode === 0 ? { healthy: true } : { healthy: false, message: `the health command exited ${exitCode}` }
  } catch (error) {
    const message = limit.aborted && !signal.aborted ? `no answer in ${health.timeout} ms` : messageOf(error)
    return { healthy: false, message }
  }
}

async function probeHttp(url: string, signal: AbortSignal): Promise<ProbeResult> {
  const { get } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const request: ClientRequest = get(url, { signal, agent: false }, response => {
      response.resume()
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 400) resolve({ healthy: true })
      else resolve({ healthy: false, message: `${url} answered ${status}` })
    })
    request.on('error', reject)
  })
}

async function probeTcp(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  const { connect } = await import('node:net')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.on('error', reject)
    socket.on('connect', () => {
      socket.destroy()
      resolve({ healthy: true })
    })
  })
}
