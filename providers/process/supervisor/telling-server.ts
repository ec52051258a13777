import { createServer, type Socket } from 'node:net'
import { checkSocketPath } from '../../../src/host/socket-lines.ts'

export interface TellingServer extends Disposable {
  /** Called when the report may have changed. */
  changed(): void
}

/** Unread bytes from which a client gets no more. */
const mostUnread = 16 * 1024 * 1024

/**
 * Sends the report `tell` to each client of `path`, at once and whenever it has changed. Throws if it can't listen there.
 */
export function serveTelling(path: string, tell: () => string): Promise<TellingServer> {
  checkSocketPath(path)
  const sockets = new Map<Socket, string>()
  let isDue = false

  function send(socket: Socket, line: string): void {
    if (sockets.get(socket) === line) return
    sockets.set(socket, line)
    if (socket.writableLength > mostUnread) socket.destroy()
    else socket.write(`${line}\n`)
  }

  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    // The client has nothing to say, and its end has to be noticed.
    socket.resume()
    send(socket, tell())
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () =>
      resolve({
        changed() {
          if (isDue || sockets.size === 0) return
          isDue = true
          setImmediate(() => {
            isDue = false
            const line = tell()
            for (const socket of sockets.keys()) send(socket, line)
          })
        },
        [Symbol.dispose]() {
          server.close()
          for (const socket of sockets.keys()) socket.destroy()
        },
      }),
    )
  })
}
