import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import type { GitServer } from './git-lab.ts'

/** What a server does with each connection. */
export type Behaviour = (socket: Socket) => void

export interface HostileServer extends GitServer {
  readonly port: number
}

/** A server on loopback that speaks no protocol but as it behaves. */
export async function serveHostilely(behave: Behaviour): Promise<HostileServer> {
  const open = new Set<Socket>()
  const server = createServer(socket => {
    open.add(socket)
    // The client leaves when it has had enough.
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    behave(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    url: `git://127.0.0.1:${address.port}/upstream.git`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Says nothing, and reads everything. */
export const mute: Behaviour = socket => void socket.resume()

/** Answers whatever is asked with random bytes, and ends. */
export const garbage: Behaviour = socket => {
  socket.once('data', () => socket.end(randomBytes(4096)))
  // Under SSH, the server begins.
  socket.write(randomBytes(64))
}

/** Lists references without end. */
export const endlessReferences: Behaviour = socket => {
  let count = 0
  pump(socket, () => {
    let block = ''
    for (let index = 0; index < 1_000; index += 1) {
      count += 1
      const capabilities = count === 1 ? '\0side-band-64k' : ''
      block += line(`${count.toString(16).padStart(40, '1')} refs/heads/b${count}${capabilities}\n`)
    }
    return Buffer.from(block)
  })
}

const commit = 'c'.repeat(40)

/** Lists one branch, as git's own server does, and then behaves so when it is asked for its content. */
export function afterListing(behave: Behaviour): Behaviour {
  return socket => {
    const capabilities = 'side-band-64k shallow filter ofs-delta symref=HEAD:refs/heads/main'
    socket.write(`${line(`${commit} HEAD\0${capabilities}\n`)}${line(`${commit} refs/heads/main\n`)}0000`)
    socket.on('data', function read(data) {
      if (!data.includes('want ')) return
      socket.off('data', read)
      socket.unshift(data)
      behave(socket)
    })
  }
}

/** Knows nothing of what the client has, and sends the pack of one file without end. */
export const endlessPack: Behaviour = socket => {
  socket.on('data', function read(data) {
    if (data.includes('deepen ')) socket.write(`${line(`shallow ${commit}\n`)}0000`)
    if (data.includes('have ') || data.includes('done')) socket.write(line('NAK\n'))
    if (!data.includes('done')) return
    socket.off('data', read)
    const header = Buffer.concat([Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1'), objectHeader(2 ** 40)])
    // A zlib stream of stored blocks, each with its length and the complement of that.
    let start = Buffer.concat([header, Buffer.from([0x78, 0x01])])
    pump(socket, () => {
      const content = randomBytes(60_000)
      const length = Buffer.alloc(5)
      length.writeUInt16LE(content.length, 1)
      length.writeUInt16LE(0xffff ^ content.length, 3)
      const block = Buffer.concat([start, length, content])
      start = Buffer.alloc(0)
      return sideband(block)
    })
  })
}

/** Header of a blob with that size: four bits of it, and then seven in each byte. */
function objectHeader(size: number): Buffer {
  const bytes = [0x80 | (3 << 4) | (size % 16)]
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
  }
  return Buffer.from(bytes)
}

function line(text: string): string {
  return `${(text.length + 4).toString(16).padStart(4, '0')}${text}`
}

function sideband(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${(content.length + 5).toString(16).padStart(4, '0')}\x01`, 'latin1'), content])
}

/** Writes for as long as somebody reads. */
function pump(socket: Socket, next: () => Buffer): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(next())) {
      // until the kernel's buffer is full
    }
  }
  socket.on('drain', write)
  write()
}
