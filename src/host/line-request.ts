import type { Socket } from 'node:net'
import type { Perform } from './effects.ts'
import { exchangeLines } from './socket-lines.ts'

/**
 * Sends one line to a unix socket and gives each line that comes back, until the peer closes. Nothing is sent before the
 * first one is asked for. Throws ReeveError: `unavailable` if nobody listens, `aborted` by the signal.
 */
export function requestLines(
  path: string,
  line: string,
  signal: AbortSignal,
  perform: Perform,
): AsyncGenerator<string, void, undefined> {
  return exchangeLines(path, signal, socket => perform('request', path, () => send(socket, line)))
}

function send(socket: Socket, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(`${line}\n`, error => (error ? reject(error) : resolve()))
  })
}
