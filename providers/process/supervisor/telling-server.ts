import { createServer, type Socket } from 'node:net'
import { checkSocketPath } from '../../../src/host/line-request.ts'

export interface TellingServer extends Disposable {
  /** It may have changed. */
  changed(): void
}

/** Who doesn't read what it is told is no longer told, in bytes. */
const mostUnread = 16 * 1024 * 1024

/** Tells whoever connects to `path` what `tell` gives, at once and whenever that has changed. Throws if it can't listen there. */
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
    // It has nothing to say, and its end has to be seen.
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
