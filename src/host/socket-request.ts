import { request as sendRequest } from 'node:http'
import type { SocketRequest, SocketResponse } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { abortable } from './abortable.ts'
import type { Clock } from './clock.ts'
import { openDeadline } from './deadline.ts'
import { errnoOf } from './failure.ts'
import { readBody } from './message-body.ts'
import { checkSocketPath, toRequestError } from './socket-lines.ts'

/** Default time limit of an answer in ms. */
const answerTimeout = 10_000

/** Interval in ms at which a request that waits for its server is tried. */
const absenceInterval = 50

/** Default size limit of an answer in bytes. */
const answerLimit = 8 * 1024 * 1024

/**
 * Makes one HTTP request over a connection of its own, which costs next to nothing on a unix socket and can't be stale. See
 * `ReadHost.querySocket`. `tries`: how often it may be sent, if nothing is answered: what changes nothing can be asked again of a
 * server that hung up before it had read anything, as those do that wait for a busy client only briefly.
 */
export async function requestSocket(
  path: string,
  request: SocketRequest,
  clock: Clock,
  tries = 1,
): Promise<SocketResponse> {
  checkSocketPath(path)
  const { timeout = answerTimeout, patience = 0, signal } = request
  const latest = clock.elapsed() + patience
  using deadline = openDeadline(clock, timeout, signal ? [signal] : [])
  let answers = 0
  const onAnswer = (): void => {
    answers += 1
  }
  try {
    for (let left = tries; ; ) {
      try {
        // Also what Node forgets to end.
        return await abortable(exchange(path, request, deadline.signal, onAnswer), deadline.signal)
      } catch (error) {
        const code = errnoOf(error) ?? ''
        if (['ENOENT', 'ECONNREFUSED'].includes(code) && clock.elapsed() < latest) {
          await clock.sleep(absenceInterval, deadline.signal)
          continue
        }
        if (left <= 1 || answers > 0 || !['EPIPE', 'ECONNRESET'].includes(code)) throw error
        left -= 1
      }
    }
  } catch (error) {
    const asked = `${request.method ?? 'GET'} ${request.path}`
    if (deadline.isOver()) {
      const late = `${path} gave no whole answer to ${asked} within ${timeout} ms; see whether its service hangs`
      throw new ReeveError('unavailable', late, { cause: error })
    }
    if (signal?.aborted) {
      throw new ReeveError('aborted', `${asked} to ${path} was given up`, { cause: signal.reason })
    }
    throw toRequestError(path, error)
  }
}

function exchange(
  socketPath: string,
  request: SocketRequest,
  signal: AbortSignal,
  onAnswer: () => void,
): Promise<SocketResponse> {
  const { method = 'GET', path, body, limit = answerLimit } = request
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const sent = sendRequest(
      { socketPath, method, path, headers: { ...request.headers, ...length }, agent: false, signal },
      async response => {
        onAnswer()
        try {
          const answer = await readBody(response, limit, () => createExcess(socketPath, limit))
          resolve({ status: response.statusCode ?? 0, body: answer })
        } catch (error) {
          reject(error)
        }
      },
    )
    sent.on('error', reject)
    sent.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new ReeveError('failed', `expected an answer from ${socketPath}, found a change of protocol`))
    })
    sent.end(body)
  })
}

function createExcess(path: string, limit: number): ReeveError {
  return new ReeveError('failed', `expected an answer of at most ${limit} bytes from ${path}, found a larger one`)
}
