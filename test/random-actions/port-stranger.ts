import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** In ms: a killed process keeps the port until it is gone. */
const PAUSE = 5
const TRIES = 20

/**
 * Stranger that listens at a port that its service has just lost, and answers as the service would. Undefined: others were
 * quicker.
 */
export async function takePort(port: number): Promise<Server | undefined> {
  for (let tries = TRIES; tries > 0; tries -= 1) {
    const server = await listenAt(port)
    if (server) return server
    await sleep(PAUSE)
  }
  return undefined
}

function listenAt(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer((_request, response) => response.end('ok'))
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server.unref()))
  })
}
