import { isIP } from 'node:net'
import type { ReadHost } from '../core/contracts/host.ts'
import { groupsOf } from './local-addresses.ts'

/** Listening sockets in the network namespace of this process: proc_net(5). */
export interface ListeningSockets {
  /** Inodes of those that answer at these addresses of the host; of a narrower address before those of all addresses. */
  at(addresses: readonly string[], port: number): ReadonlySet<string>
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
const MAPPED = `${'0'.repeat(16)}FFFF0000`

export function readListeningSockets(host: Pick<ReadHost, 'readText'>): ListeningSockets {
  const read = (name: string): string[] => (host.readText(`/proc/net/${name}`) ?? '').split('\n').slice(1)
  const tcp = [...read('tcp'), ...read('tcp6')].flatMap(line => parseTcp(line) ?? [])
  const unix = read('unix').flatMap(line => parseUnix(line) ?? [])
  return {
    all: new Set([...tcp.map(({ inode }) => inode), ...unix]),
    at(addresses, port) {
      const here = tcp.filter(socket => socket.port === port)
      const found = addresses.map(candidatesOf).flatMap(candidates => {
        const narrow = here.filter(({ address }) => candidates.narrow.includes(address))
        return narrow.length > 0 ? narrow : here.filter(({ address }) => candidates.wide.includes(address))
      })
      return new Set(found.map(({ inode }) => inode))
    },
  }
}

/** As the kernel writes it; of a narrower address before those of all addresses. */
function candidatesOf(address: string): { readonly narrow: readonly string[]; readonly wide: readonly string[] } {
  if (isIP(address) === 4) {
    const hex = encodeWord(address.split('.').map(Number))
    return { narrow: [hex, MAPPED + hex], wide: [ANY, ANY6] }
  }
  const bytes = groupsOf(address).flatMap(group => [group >> 8, group & 0xff])
  const words = [0, 4, 8, 12].map(at => encodeWord(bytes.slice(at, at + 4)))
  return { narrow: [words.join('')], wide: [ANY6] }
}

/** In the byte order of all machines that Node runs on today. */
function encodeWord(bytes: readonly number[]): string {
  return bytes
    .toReversed()
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
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
