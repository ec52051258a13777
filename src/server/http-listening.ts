import type { IncomingMessage, Server } from 'node:http'
import { tryTo } from '../core/try-to.ts'
import type { Clock } from '../host/clock.ts'

export interface RunningServer extends AsyncDisposable {
  /** Stops listening and lets answers under way end, but not for long. */
  close(): Promise<void>
}

/** Time for answers under way when the server closes, in ms: the whole shutdown has 5 s (E16). */
const closingTime = 1_000

export function listen(
  server: Server,
  place: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(place, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

export function closeServer(server: Server, clock: Clock): Promise<void> {
  return new Promise(resolve => {
    const timer = clock.after(closingTime, () => server.closeAllConnections())
    server.close(() => {
      timer[Symbol.dispose]()
      // Closing a server that never listened is no error.
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** The requested path; undefined for an invalid one, such as `GET http://[`. */
export function parseTarget(request: IncomingMessage): URL | undefined {
  return tryTo(() => new URL(request.url ?? '/', 'http://reeve'))
}
