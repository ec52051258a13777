import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { checkSocketPath } from '../../../src/host/socket-lines.ts'
import { parseRequest, type RequestedAction, type Response } from '../shared/request.ts'

export interface Server extends Disposable {
  /** Number of connected clients. */
  clients(): number
}

/**
 * Listens at the path; nobody else does, since we hold the lock. Errors thrown by `handle` are sent back. `onQuiet` is
 * called when a client has disconnected, and when its request is done, which may be later.
 */
export function listen(
  path: string,
  handle: (action: RequestedAction) => Promise<void>,
  onQuiet: () => void,
): Promise<Server> {
  checkSocketPath(path)
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      onQuiet()
    })
    const lines = createInterface({ input: socket })
    // It repeats the socket's errors: a client that dies must not take the supervisor along.
    lines.on('error', () => {})
    lines.once('line', line => void answer(socket, line, handle).then(onQuiet))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () =>
      resolve({
        clients: () => sockets.size,
        [Symbol.dispose]() {
          server.close()
          for (const socket of sockets) socket.destroy()
        },
      }),
    )
  })
}

async function answer(socket: Socket, line: string, handle: (action: RequestedAction) => Promise<void>): Promise<void> {
  const respond = (response: Response): boolean => socket.writable && socket.write(`${JSON.stringify(response)}\n`)
  const request = parseRequest(line)
  const work = (request?.actions ?? []).map(async action => {
    try {
      await handle(action)
      respond({ id: action.id })
    } catch (error) {
      respond({ id: action.id, error: messageOf(error) })
    }
  })
  await Promise.all(work)
  socket.end()
}
