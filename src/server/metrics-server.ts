import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf } from '../host/failure.ts'
import { closeServer, listen, type RunningServer } from './http-listening.ts'
import type { Metrics } from './metrics.ts'

export interface MetricsServer extends RunningServer {
  /** The one that was given by the system, where 0 was asked for. */
  readonly port: number
}

export interface MetricsServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly metrics: Metrics
  /** Milliseconds between passes when nothing happens. */
  readonly resync: number
  /** Milliseconds since 1970. */
  now(): number
  /** When a pass last began or ended, in milliseconds since 1970; before the first, when the controller started. */
  lastActivity(): number
  /** True once a complete pass has ended. */
  isReady(): boolean
}

/** So many resync intervals without a pass, and the controller is taken to be stuck. */
const patience = 3

/**
 * Answers over TCP for what watches a controller: /healthz, /readyz and /metrics. It only tells, and has no way to act.
 * Throws ReeveError if it can't listen.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port } = options.listen
  const server = createServer((request, response) => void respond(options, request, response))
  server.requestTimeout = 10_000
  try {
    await listen(server, { host, port })
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw createFailure(`listen at ${host}:${port}`, error)
    const message = `cannot listen at ${host}:${port}: another program does; change \`listen\` in reeve.yaml`
    throw new ReeveError('failed', message, { cause: error })
  }
  const address = server.address()
  const close = (): Promise<void> => closeServer(server)
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
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD')
  switch (new URL(request.url ?? '/', 'http://metrics').pathname) {
    case '/healthz':
      return answerHealth(options)
    case '/readyz':
      return options.isReady() ? plain(200, 'ready') : plain(503, 'the first pass has not ended yet')
    case '/metrics':
      return { status: 200, type: options.metrics.contentType, text: await options.metrics.text() }
    default:
      return plain(404, 'there are /healthz, /readyz and /metrics')
  }
}

function answerHealth(options: MetricsServerOptions): Answer {
  const silence = options.now() - options.lastActivity()
  if (silence <= patience * options.resync) return plain(200, 'ok')
  return plain(503, `no pass for ${Math.round(silence / 1000)} s; one is due every ${options.resync / 1000} s`)
}

function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', text: `${text}\n` }
}
