import type { ClientRequest } from 'node:http'
import type { Facility, Process } from '../core/facility.ts'
import type { WriteHost } from '../core/provider.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'

export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly message: string }

export type ProbeHost = Pick<WriteHost, 'run' | 'userId' | 'findUser' | 'findGroup'>

/**
 * Asks once. Never rejects: whatever goes wrong is unhealthy. An HTTP status from 200 to 399 is healthy. A
 * command is run as the service's user, in its working directory.
 */
export async function probeHealth(
  { health, process }: Pick<Facility, 'health' | 'process'>,
  host: ProbeHost,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (!health) return { healthy: true }
  const { check } = health
  const limit = AbortSignal.any([signal, AbortSignal.timeout(health.timeout)])
  try {
    if (check.type === 'http') return await probeHttp(check.url, limit)
    if (check.type === 'tcp') return await probeTcp(check.host, check.port, limit)
    const directory = process?.workingDirectory
    const options = { timeout: health.timeout, signal, ...(directory === undefined ? {} : { directory }) }
    const { exitCode } = await host.run([...asServiceUser(process, host), ...check.command], options)
    return exitCode === 0 ? { healthy: true } : { healthy: false, message: `the health command exited ${exitCode}` }
  } catch (error) {
    const message = limit.aborted && !signal.aborted ? `no answer in ${health.timeout} ms` : messageOf(error)
    return { healthy: false, message }
  }
}

/** What a manifest has run for its health may do no more than the service itself. */
function asServiceUser(process: Process | undefined, host: ProbeHost): string[] {
  if (host.userId() !== 0 || (process?.user === undefined && process?.group === undefined)) return []
  const user = process.user === undefined ? undefined : host.findUser(process.user)
  if (process.user !== undefined && !user) throw new ReeveError('failed', `there is no user ${process.user}`)
  const gid = process.group === undefined ? user?.gid : host.findGroup(process.group)
  if (gid === undefined) throw new ReeveError('failed', `there is no group ${process.group}`)
  const identity = user
    ? [`--reuid=${user.uid}`, `--regid=${gid}`, '--init-groups']
    : [`--regid=${gid}`, '--clear-groups']
  return ['setpriv', ...identity, '--']
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
