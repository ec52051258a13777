import { randomBytes } from 'node:crypto'
import { chmodSync, fstatSync, lstatSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createConnection } from 'node:net'
import { basename, dirname } from 'node:path'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { Control, PassWays } from '../core/contracts/control.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import { createFailure } from '../host/failure.ts'
import { readBody } from '../host/message-body.ts'
import { type OpenedDirectory, openDirectory } from '../host/opened-directory.ts'
import { readPackageVersion } from '../host/package-version.ts'
import { type ConnectionLimit, limitConnections, serverOptions } from './connection-limit.ts'
import {
  encodeError,
  encodeEvent,
  type Greeting,
  type PassLine,
  parseActRequest,
  parseApplyRequest,
  parseDownRequest,
  parseName,
  parseRollbackRequest,
  parseSyncRequest,
  protocol,
  requestLimit,
} from './control-protocol.ts'
import { closeServer, listen, parseTarget, type RunningServer } from './http-listening.ts'

/** Prefix of sockets not yet renamed into place; a crash may leave one behind. */
const temporaryPrefix = '.control-'

/**
 * Answers on a unix socket for a controller. The socket is 0600 in a directory that nobody else can enter (S5), made if
 * missing; it appears under its name only when it is ready. A stale one is replaced. Throws ReeveError: `locked` if
 * another answers there, `insecure` if others could get into the directory.
 */
export async function serveControl(control: Control, socketPath: string, clock: Clock): Promise<RunningServer> {
  const name = basename(socketPath)
  const directory = openPrivateDirectory(dirname(socketPath))
  const server = createServer(serverOptions, (request, response) => void respond(control, limit, request, response))
  const limit = limitConnections(server)
  try {
    await removeStale(directory, name, socketPath)
    // Through the directory's descriptor, as the path may be longer than a socket's may be.
    const temporary = directory.entry(`${temporaryPrefix}${randomBytes(6).toString('hex')}`)
    await listen(server, { path: temporary })
    chmodSync(temporary, 0o600)
    renameSync(temporary, directory.entry(name))
    const inode = lstatSync(directory.entry(name)).ino
    let closing: Promise<void> | undefined
    const close = (): Promise<void> => {
      closing ??= endServing(server, directory, name, inode, clock)
      return closing
    }
    return { close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await closeServer(server, clock)
    directory[Symbol.dispose]()
    throw createFailure(`listen at ${socketPath}`, error)
  }
}

/** Makes the directory if it is missing. Only its owner, this user, may enter it. */
function openPrivateDirectory(path: string): OpenedDirectory {
  const directory = openDirectory(path, {
    create: (anchored, here) => mkdirSync(anchored, { mode: here === path ? 0o700 : 0o755 }),
  })
  const facts = fstatSync(directory.fd)
  if (facts.uid === process.geteuid?.() && (facts.mode & 0o077) === 0) return directory
  directory[Symbol.dispose]()
  const found = `mode 0${(facts.mode & 0o7777).toString(8)} and owner ${facts.uid}`
  const message = `expected ${path}, where the control socket goes, to be a directory of this user with mode 0700, found ${found}`
  throw new ReeveError('insecure', `${message}; correct that, or choose another runtimeDirectory`)
}

/** Removes sockets that nobody listens at any more. The caller is the only writer, by the lock. */
async function removeStale(directory: OpenedDirectory, name: string, socketPath: string): Promise<void> {
  for (const entry of readdirSync(directory.entry('.'))) {
    if (entry !== name && !entry.startsWith(temporaryPrefix)) continue
    if (await isAnswered(directory.entry(entry))) {
      throw new ReeveError('locked', `another controller answers at ${socketPath}; stop it, or use another --state-dir`)
    }
    unlinkSync(directory.entry(entry))
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function endServing(
  server: Server,
  directory: OpenedDirectory,
  name: string,
  inode: number,
  clock: Clock,
): Promise<void> {
  removeIfOurs(directory.entry(name), inode)
  await closeServer(server, clock)
  directory[Symbol.dispose]()
}

function removeIfOurs(path: string, inode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === inode) unlinkSync(path)
}

async function respond(
  control: Control,
  limit: ConnectionLimit,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const body = request.method === 'POST' ? await readJson(request) : undefined
    // Answers may take as long as a service takes to become ready.
    using _held = limit.hold(request.socket)
    const pass = findPass(control, request, body)
    if (pass) await tellPass(response, pass)
    else send(response, 200, await answer(control, request, body))
  } catch (error) {
    const { status, body } = encodeError(error)
    send(response, status, body)
  }
}

type Pass = (ways: Pick<PassWays, 'signal' | 'listener'>) => Promise<ApplyOutcome>

function findPass(control: Control, request: IncomingMessage, body: unknown): Pass | undefined {
  switch (`${request.method} ${parseTarget(request)?.pathname}`) {
    case 'POST /apply': {
      const { wish, settings } = parseApplyRequest(body)
      return ways => control.apply(wish, { ...ways, settings })
    }
    case 'POST /down': {
      const { names, settings } = parseDownRequest(body)
      return ways => control.down(names, { ...ways, settings })
    }
    default:
      return undefined
  }
}

async function tellPass(response: ServerResponse, pass: Pass): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort(new ReeveError('aborted', 'whoever asked for it has gone')))
  const write = (line: PassLine): void => {
    // Events after the end of the answer go nowhere.
    if (!response.writableEnded && !response.destroyed) response.write(`${JSON.stringify(line)}\n`)
  }
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' })
  response.flushHeaders()
  try {
    const outcome = await pass({ signal: gone.signal, listener: event => write({ event: encodeEvent(event) }) })
    write({ outcome })
  } catch (error) {
    write(encodeError(error).body)
  }
  response.end()
}

async function answer(control: Control, request: IncomingMessage, body: unknown): Promise<unknown> {
  const url = parseTarget(request)
  if (url === undefined) throw new ReeveError('usage', 'the path of the request cannot be read')
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /ping':
      return { pid: process.pid, version: readPackageVersion(), protocol } satisfies Greeting
    case 'GET /status':
      return control.status(url.searchParams.get('name') ?? undefined)
    case 'POST /act': {
      const { verb, name, options } = parseActRequest(body)
      return control.act(verb, name, options)
    }
    case 'POST /plan-down': {
      const { names, settings } = parseDownRequest(body)
      return control.planDown(names, settings)
    }
    case 'POST /sync':
      return control.sync(parseSyncRequest(body))
    case 'POST /rollback':
      return control.rollback(parseRollbackRequest(body))
    case 'POST /accept':
      return control.accept(parseName(body))
    case 'POST /suspend':
      return control.suspend(parseName(body))
    case 'POST /resume':
      return control.resume(parseName(body))
    default:
      throw new ReeveError('not-found', `the control socket has no ${request.method} ${url.pathname}`)
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const message = `expected a request of at most ${requestLimit} bytes`
  const text = await readBody(request, requestLimit, () => new ReeveError('usage', message))
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ReeveError('usage', 'expected a request in JSON', { cause: error })
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body))
}
