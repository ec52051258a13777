import { describe, expect, test } from 'vitest'
import { readListeningSockets } from '../../../src/host/listening-sockets.ts'
import { readLocalAddresses } from '../../../src/host/local-addresses.ts'

const hosts = `# of this host
192.0.2.7  web.example Web  # its name
fd00::7    web.example
127.0.1.1  here
203.0.113.9 other mixed
192.0.2.7  mixed
`
const own = ['192.0.2.7', 'fd00:0:0:0::7', 'fe80::1%eth0']
const find = readLocalAddresses({ readText: path => (path === '/etc/hosts' ? hosts : undefined) }, own)

describe('the addresses of this host', () => {
  test.each<[name: string, addresses: string[]]>([
    ['127.0.0.1', ['127.0.0.1']],
    ['127.9.9.9', ['127.9.9.9']],
    ['[::1]', ['::1']],
    ['localhost', ['127.0.0.1', '::1']],
    ['LOCALHOST', ['127.0.0.1', '::1']],
    ['0.0.0.0', ['127.0.0.1']],
    ['[::]', ['::1']],
    ['192.0.2.7', ['192.0.2.7']],
    ['[FD00::0007]', ['fd00::7']],
    ['fe80::1%eth1', ['fe80::1']],
    ['web.example', ['192.0.2.7', 'fd00::7']],
    ['WEB', ['192.0.2.7']],
    ['here', ['127.0.1.1']],
    // Addresses of other hosts, of this host among others, and unknown ones.
    ['192.0.2.8', []],
    ['[fd00::8]', []],
    ['other', []],
    ['mixed', []],
    ['example.org', []],
    ['its', []],
  ])('is local or not: %s', (name, addresses) => expect(find(name)).toEqual(addresses))
})

describe('listening sockets', () => {
  const line = (address: string, inode: number, state = '0A'): string =>
    `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 100 0 0 10 0`
  const files: Record<string, string> = {
    tcp: [
      'head',
      line('0100007F:0050', 1),
      line('070200C0:0050', 2),
      line('00000000:0051', 3),
      line('070200C0:0052', 4, '01'),
    ].join('\n'),
    tcp6: [
      'head',
      line('000000FD000000000000000007000000:0050', 5),
      line('00000000000000000000000001000000:0050', 6),
      line('00000000000000000000000000000000:0053', 7),
      line('0000000000000000FFFF0000070200C0:0054', 8),
    ].join('\n'),
  }
  const sockets = readListeningSockets({ readText: path => files[path.replace('/proc/net/', '')] })

  test.each<[what: string, addresses: string[], port: number, inodes: string[]]>([
    ['at a loopback address', ['127.0.0.1'], 0x50, ['1']],
    ['at an address of the host', ['192.0.2.7'], 0x50, ['2']],
    ['at an IPv6 address of the host', ['fd00::7'], 0x50, ['5']],
    ['at the loopback of IPv6', ['::1'], 0x50, ['6']],
    ['at one of several addresses', ['192.0.2.7', 'fd00::7'], 0x50, ['2', '5']],
    ['at all addresses of IPv4', ['192.0.2.7'], 0x51, ['3']],
    ['at all addresses of IPv4, and none of IPv6', ['fd00::7'], 0x51, []],
    ['at all addresses of both', ['192.0.2.7', 'fd00::7'], 0x53, ['7']],
    ['at an IPv4-mapped IPv6 address', ['192.0.2.7'], 0x54, ['8']],
    ['at another address', ['127.0.0.1'], 0x54, []],
    ['no longer listening', ['192.0.2.7'], 0x52, []],
  ])('are found %s', (_, addresses, port, inodes) => expect([...sockets.at(addresses, port)]).toEqual(inodes))
})
