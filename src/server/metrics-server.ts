import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import { createFailure, errnoOf } from '../host/failure.ts'
import { limitConnections, serverOptions } from './connection-limit.ts'
import { closeServer, listen, parseTarget, type RunningServer } from './http-listening.ts'
import type { Metrics } from './metrics.ts'
import type { Webhook } from './webhook.ts'

export interface MetricsServer extends RunningServer {
  /** The port that the system chose, if 0 was asked for. */
  readonly port: number
}

export interface MetricsServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly metrics: Metrics
  readonly clock: Clock
  /** Why the controller seems stuck, in words; undefined: it doesn't. */
  standstill(): string | undefined
  /** Problems that a restart of the controller wouldn't fix. */
  complaints(): readonly string[]
  /** True once a complete pass has ended. */
  isReady(): boolean
  /** Absent: there is none. */
  readonly webhook?: Webhook
}

/**
 * Serves /healthz, /readyz and /metrics over TCP. Read-only, but for the webhook, which makes the controller ask its repository.
 * Throws ReeveError if it can't listen.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port } = options.listen
  const server = createServer(serverOptions, (request, response) => void respond(options, request, response))
  limitConnections(server)
  try {
    await listen(server, { host, port })
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw createFailure(`listen at ${host}:${port}`, error)
    const message = `cannot listen at ${host}:${port}: another program does; change \`listen\` in reeve.yaml`
    throw new ReeveError('failed', message, { cause: error })
  }
  const address = server.address()
  const close = (): Promise<void> => closeServer(server, options.clock)
  const actualPort = typeof address === 'object' && address !== null ? address.port : port
  return { port: actualPort, close, [Symbol.asyncDispose]: close }
}

async function respond(
  options: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, type, text } = await answer(options, request).catch((error: unknown) => ({
    status: 500,
    type: 'text/plain',
    text: `${error instanceof Error ? error.message : error}\n`,
  }))
  response.writeHead(status, { 'content-type': type })
  response.end(request.method === 'HEAD' ? undefined : text)
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function answer(options: MetricsServerOptions, request: IncomingMessage): Promise<Answer> {
  if (options.webhook && parseTarget(request)?.pathname === '/webhook') {
    const { status, text } = await options.webhook(request)
    return plain(status, text)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD')
  switch (parseTarget(request)?.pathname) {
    case undefined:
      return plain(400, 'the path of the request cannot be read')
    case '/healthz':
      return answerHealth(options.standstill(), options.complaints())
    case '/readyz':
      return options.isReady() ? plain(200, 'ready') : plain(503, 'the first pass has not ended yet')
    case '/metrics':
      return { status: 200, type: options.metrics.contentType, text: await options.metrics.text() }
    default:
      return plain(404, 'there are /healthz, /readyz and /metrics')
  }
}

function answerHealth(standstill: string | undefined, complaints: readonly string[]): Answer {
  return standstill === undefined ? plain(200, ['ok', ...complaints].join('\n')) : plain(503, standstill)
}

function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', text: `${text}\n` }
}
