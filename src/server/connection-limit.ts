import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { readOpenFileLimit } from '../host/open-file-limit.ts'

/** Most connections of one server. All servers together must leave descriptors for reconciling. */
const mostConnections = 64
/** Largest share of the process's descriptors for one server. */
const partOfDescriptors = 1 / 8
const fewestConnections = 4

/** How long a client may take for the headers, and for the whole request, and between two requests, in ms. */
const timeouts = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 500,
}

/** For `createServer` of node:http. */
export const serverOptions: object = { ...timeouts, maxHeaderSize: 16 * 1024 }

export interface ConnectionLimit {
  /** Until disposed of, this connection is busy and not ended to make room. */
  hold(socket: Socket): Disposable
}

/**
 * Bounds the connections of a server. If there is one too many, the oldest idle one is ended: it is
 * of a client that doesn't send or doesn't read, as an answer takes milliseconds. So slow clients don't keep others out.
 */
export function limitConnections(server: Server, limit: number = findConnectionLimit()): ConnectionLimit {
  /** The oldest first. */
  const open = new Set<Socket>()
  const held = new Set<Socket>()

  function makeRoom(): boolean {
    if (open.size < limit) return true
    for (const socket of open) {
      if (held.has(socket)) continue
      open.delete(socket)
      socket.destroy()
      return true
    }
    return false
  }

  server.maxRequestsPerSocket = 32
  server.on('connection', socket => {
    if (!makeRoom()) return void socket.destroy()
    open.add(socket)
    socket.once('close', () => {
      open.delete(socket)
      held.delete(socket)
    })
  })
  return {
    hold(socket) {
      held.add(socket)
      return { [Symbol.dispose]: () => held.delete(socket) }
    },
  }
}

function findConnectionLimit(): number {
  const share = Math.floor(readOpenFileLimit() * partOfDescriptors)
  return Math.max(fewestConnections, Math.min(mostConnections, share))
}
