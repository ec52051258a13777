import type { Server } from 'node:http'

export interface RunningServer extends AsyncDisposable {
  /** Stops listening and lets answers under way end, but not for long. */
  close(): Promise<void>
}

/** How long answers under way may still take when the server closes, in ms: the whole shutdown has 5 s (E16). */
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

export function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), closingTime)
    server.close(() => {
      clearTimeout(timer)
      // Also when it never listened: nothing is left open, and that is all that was asked for.
      resolve()
    })
    server.closeIdleConnections()
  })
}
