import type { ReadHost } from '../core/provider.ts'

/** What the kernel says of sockets that listen, in the network namespace of this process: proc_net(5). */
export interface ListeningSockets {
  /** Inodes of those that answer at a loopback address; of a narrower address before those of all addresses. */
  at(host: string, port: number): ReadonlySet<string>
  /** Of all, also of those in the file system. */
  readonly all: ReadonlySet<string>
}

interface TcpSocket {
  /** Hexadecimal, as in the file: each word of 32 bits in the byte order of the machine. */
  readonly address: string
  readonly port: number
  readonly inode: string
}

const LISTEN = '0A'
/** __SO_ACCEPTCON */
const ACCEPTS = 0x10000

const ANY = '0'.repeat(8)
const ANY6 = '0'.repeat(32)
const LOOPBACK6 = `${'0'.repeat(24)}01000000`
const MAPPED = `${'0'.repeat(16)}FFFF0000`

export function readListeningSockets(host: Pick<ReadHost, 'readText'>): ListeningSockets {
  const read = (name: string): string[] => (host.readText(`/proc/net/${name}`) ?? '').split('\n').slice(1)
  const tcp = [...read('tcp'), ...read('tcp6')].flatMap(line => parseTcp(line) ?? [])
  const unix = read('unix').flatMap(line => parseUnix(line) ?? [])
  return {
    all: new Set([...tcp.map(({ inode }) => inode), ...unix]),
    at(name, port) {
      const here = tcp.filter(socket => socket.port === port)
      const found = loopbackAddresses(name).flatMap(candidates => {
        const narrow = here.filter(({ address }) => candidates.narrow.includes(address))
        return narrow.length > 0 ? narrow : here.filter(({ address }) => candidates.wide.includes(address))
      })
      return new Set(found.map(({ inode }) => inode))
    },
  }
}

/** True if what answers there is on this host for certain. */
export function isLoopback(name: string): boolean {
  return loopbackAddresses(name).length > 0
}

function loopbackAddresses(name: string): { narrow: string[]; wide: string[] }[] {
  const plain = name.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const six = { narrow: [LOOPBACK6], wide: [ANY6] }
  if (plain === '::1') return [six]
  if (plain === 'localhost') return [...loopbackAddresses('127.0.0.1'), six]
  const parts = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(plain)?.slice(1).map(Number)
  if (!parts || parts.some(part => part > 255)) return []
  const hex = [...parts.reverse(), 127]
    .map(part => part.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
  return [{ narrow: [hex, MAPPED + hex], wide: [ANY, ANY6] }]
}

/** `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …` */
function parseTcp(line: string): TcpSocket | undefined {
  const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
  const [address, port] = local.split(':')
  if (state !== LISTEN || address === undefined || port === undefined || inode === undefined) return undefined
  return { address, port: Number.parseInt(port, 16), inode }
}

/** `Num RefCount Protocol Flags Type St Inode Path` */
function parseUnix(line: string): string | undefined {
  const [, , , flags = '', , , inode] = line.trim().split(/\s+/)
  return (Number.parseInt(flags, 16) & ACCEPTS) === 0 ? undefined : inode
}
