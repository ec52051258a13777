import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf } from './failure.ts'

/** The kernel's: `sun_path` of 108 bytes with its closing zero. */
const pathLimit = 107

/** Longest line of an answer in bytes. */
const lineLimit = 4 * 1024 * 1024

/** Throws ReeveError if the kernel can't take the path as that of a unix socket. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path)
  if (length <= pathLimit) return
  const found = `${path} has ${length}`
  throw new ReeveError(
    'invalid',
    `expected a socket path of at most ${pathLimit} bytes, found: ${found}; use a shorter directory`,
  )
}

/**
 * What a process tells of itself, line by line, to whoever connects to its unix socket: nothing is sent to it. Ends when it hangs up.
 * Throws ReeveError: `unavailable` if nobody listens there, `aborted` by the signal.
 */
export function hearLines(path: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  return exchangeLines(path, signal, () => Promise.resolve())
}

/** Lines that come back once `begin` is done. */
export async function* exchangeLines(
  path: string,
  signal: AbortSignal,
  begin: (socket: Socket) => Promise<void>,
): AsyncGenerator<string, void, undefined> {
  checkSocketPath(path)
  if (signal.aborted) throw createAbortion(path, signal)
  let failure: unknown
  const socket = createConnection(path)
  socket.on('error', error => {
    failure ??= error
  })
  const abort = (): void => {
    socket.destroy(createAbortion(path, signal))
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    await connected(socket)
    await begin(socket)
    limitLines(socket, path)
    yield* createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })
    if (failure !== undefined) throw failure
  } catch (error) {
    throw toRequestError(path, failure ?? error)
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/** Without a limit, an endless line would fill the memory. */
function limitLines(socket: Socket, path: string): void {
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf(0x0a)
    length = end === -1 ? length + chunk.length : chunk.length - end - 1
    if (length <= lineLimit) return
    socket.destroy(
      new ReeveError('failed', `expected lines of at most ${lineLimit} bytes from ${path}, found a longer one`),
    )
  })
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
}

function createAbortion(path: string, signal: AbortSignal): ReeveError {
  return new ReeveError('aborted', `the request to ${path} was given up`, { cause: signal.reason })
}

/** Error of a failed request: `unavailable` if nothing listens there. */
export function toRequestError(path: string, error: unknown): ReeveError {
  const code = errnoOf(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ReeveError('unavailable', `nothing listens at ${path} (${code}); check that its service runs`, {
      cause: error,
    })
  }
  return createFailure(`talk to ${path}`, error)
}
