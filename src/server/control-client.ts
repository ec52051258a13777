import { fstatSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http'
import { basename, dirname } from 'node:path'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { Control, ControlOutcome, PassWays } from '../core/contracts/control.ts'
import type { RevisionReport, SourceStatus } from '../core/contracts/source-status.ts'
import type { Status } from '../core/contracts/status.ts'
import type { Plan } from '../core/plan/step.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import { openDeadline } from '../host/deadline.ts'
import { createFailure, errnoOf } from '../host/failure.ts'
import { readBody } from '../host/message-body.ts'
import { type OpenedDirectory, openDirectory } from '../host/opened-directory.ts'
import { readPackageVersion } from '../host/package-version.ts'
import { decodeError, expectAnswer, type Greeting, responseLimit } from './control-protocol.ts'
import { readPass } from './pass-reading.ts'

/** Time limit for a controller's greeting, in ms, for busy hosts. */
const pingTimeout = 20_000

/** Time limit for its status, of thousands of facilities on a busy host. Actions have no limit. */
const statusTimeout = 60_000

/** The HTTP status with which Node ends a connection whose request isn't whole in time. */
const requestTimeout = 408
const mostAttempts = 3

interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  /** Gives up the request. Absent: no time limit. */
  readonly signal?: AbortSignal
  /** The error of a request given up. */
  readonly givenUp?: ReeveError
}

/**
 * The controller that answers at this socket, as a Control; undefined if none does. Throws ReeveError: `failed` if the
 * socket may not be used, `unavailable` if whoever listens gives no answer.
 */
export async function connectControl(socketPath: string, clock: Clock): Promise<Control | undefined> {
  let greeting: Greeting
  try {
    using deadline = openDeadline(clock, pingTimeout)
    const answer = await ask(socketPath, { method: 'GET', path: '/ping', signal: deadline.signal })
    greeting = expectAnswer<Greeting>(answer, 'the greeting of a controller', ['pid'])
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED') return undefined
    throw error
  }
  const post = async (path: string, body: unknown): Promise<ControlOutcome> =>
    expectAnswer<ControlOutcome>(await ask(socketPath, { method: 'POST', path, body }), 'an outcome', [
      'changed',
      'message',
    ])
  const askSource = async (path: string, body: unknown): Promise<SourceStatus> => {
    expectKnown(greeting, 2)
    const answer = await ask(socketPath, { method: 'POST', path, body })
    return expectAnswer<SourceStatus>(answer, 'the status of a source', ['condition', 'wanted'])
  }
  async function pass(path: string, body: unknown, { signal, listener }: PassWays): Promise<ApplyOutcome> {
    expectKnown(greeting, 1)
    const question = { method: 'POST', path, body, signal, givenUp: interrupted(greeting) } as const
    return converse(socketPath, question, response => readPass(response, listener))
  }

  return {
    pid: greeting.pid,
    async status(name) {
      const search = name === undefined ? '' : `?${new URLSearchParams({ name })}`
      using deadline = openDeadline(clock, statusTimeout)
      const answer = await ask(socketPath, { method: 'GET', path: `/status${search}`, signal: deadline.signal })
      return expectAnswer<Status>(answer, 'a status', ['facilities'])
    },
    act: (verb, name, options = {}) => post('/act', { verb, name, options }),
    suspend: name => post('/suspend', { name }),
    resume: name => post('/resume', { name }),
    apply: (wish, ways) => pass('/apply', { wish, settings: ways.settings ?? {} }, ways),
    async planDown(names, settings = {}) {
      expectKnown(greeting, 1)
      const answer = await ask(socketPath, { method: 'POST', path: '/plan-down', body: { names, settings } })
      return expectAnswer<Plan>(answer, 'a plan', ['formatVersion', 'facilities'])
    },
    down: (names, ways) => pass('/down', { names, settings: ways.settings ?? {} }, ways),
    sync: (wish = {}) => askSource('/sync', wish),
    accept: commit => askSource('/accept', { name: commit }),
    async rollback(revision) {
      expectKnown(greeting, 3)
      const answer = await ask(socketPath, { method: 'POST', path: '/rollback', body: { revision } })
      return expectAnswer<RevisionReport>(answer, 'a revision', ['commit', 'outcome'])
    },
  }
}

/** A controller started before an upgrade of Reeve lacks newer requests. */
function expectKnown({ pid, version, protocol }: Greeting, needed: number): void {
  if (protocol !== undefined && protocol >= needed) return
  const found = version === undefined ? 'an older Reeve' : `Reeve ${version}`
  throw new ReeveError(
    'unavailable',
    `the controller (process ${pid}) is of ${found}, which cannot be asked for this, as Reeve ${readPackageVersion()} can: ` +
      'restart it (reeve install does, if it is installed as a service), or stop it and run this again',
  )
}

function interrupted({ pid }: Greeting): ReeveError {
  return new ReeveError(
    'aborted',
    `interrupted; the controller (process ${pid}) goes on with what it has begun: see reeve status`,
  )
}

async function ask(socketPath: string, question: Question): Promise<unknown> {
  return converse(socketPath, question, readJson)
}

/** `read`: reads an answer that is no error. */
async function converse<T>(
  socketPath: string,
  question: Question,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const answer = await converseOnce(socketPath, question, read)
    if (answer !== 'unread') return answer.value
  }
  throw new ReeveError(
    'unavailable',
    `the controller did not read the request in time, ${mostAttempts} times in a row: the host is too busy; try again later`,
  )
}

/** `unread`: the request came too slowly, as on a busy host, and nothing of it was done. */
async function converseOnce<T>(
  socketPath: string,
  question: Question,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<{ readonly value: T } | 'unread'> {
  using directory = openDirectory(dirname(socketPath))
  expectOwn(directory)
  const { method, path, body, signal, givenUp = noAnswer() } = question
  const request = openRequest({
    // Through the directory's descriptor, as the path may be longer than a socket's may be.
    socketPath: directory.entry(basename(socketPath)),
    method,
    path,
    agent: false,
    headers: { 'content-type': 'application/json' },
  })
  const giveUp = (): void => void request.destroy(givenUp)
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted) giveUp()
  try {
    const response = await exchange(request, body)
    if (response.statusCode === 200) return { value: await read(response) }
    if (response.statusCode === requestTimeout) return 'unread'
    throw decodeError(await readJson(response))
  } catch (error) {
    // A closed connection doesn't tell which side closed it.
    throw signal?.aborted ? givenUp : toClientError(socketPath, error)
  } finally {
    signal?.removeEventListener('abort', giveUp)
    request.destroy()
  }
}

function noAnswer(): ReeveError {
  return new ReeveError('unavailable', 'the controller gives no answer; see that it is not stopped')
}

/** Throws where another user could listen in place of the controller, as the answer would be believed. */
function expectOwn({ fd, path }: OpenedDirectory): void {
  const { uid, mode } = fstatSync(fd)
  const userId = process.geteuid?.() ?? 0
  if ((uid === 0 || uid === userId) && (mode & 0o022) === 0) return
  const found = `owner ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`
  throw new ReeveError(
    'insecure',
    `cannot believe who answers at the control socket: others can put one into ${path} (${found}); act as the user who runs the controller, or give the directory to the user who runs Reeve, with mode 0700`,
  )
}

function exchange(request: ClientRequest, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const text = await readText(response)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ReeveError(
      'failed',
      `expected an answer in JSON, found ${describe(text)} (HTTP ${response.statusCode})`,
      {
        cause: error,
      },
    )
  }
}

function describe(text: string): string {
  return text === '' ? 'an empty one' : JSON.stringify(text.slice(0, 100))
}

function readText(response: IncomingMessage): Promise<string> {
  const message = `expected an answer of at most ${responseLimit} bytes`
  return readBody(response, responseLimit, () => new ReeveError('failed', message))
}

function toClientError(socketPath: string, error: unknown): ReeveError {
  const code = errnoOf(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const message = `no controller answers at ${socketPath}; start one with \`reeve run\`, or ask again without one`
    return new ReeveError('unavailable', message, { cause: error })
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const message = 'the controller ended before it answered; see `reeve status` for what it did'
    return new ReeveError('unavailable', message, { cause: error })
  }
  return createFailure(`ask the controller at ${socketPath}`, error)
}
