import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ReadHost } from '../core/contracts/host.ts'

/**
 * By which addresses this host itself is asked under a name or address, for certain; none where another host may be, or where only a
 * name server could tell.
 */
export type LocalAddresses = (name: string) => readonly string[]

/** `own`: the addresses of the host's interfaces. */
export function readLocalAddresses(
  host: Pick<ReadHost, 'readText'>,
  own: readonly string[] = listOwnAddresses(),
): LocalAddresses {
  const ours = new Set(own.map(normalize))

  function find(name: string): readonly string[] {
    const plain = name.replace(/^\[(.*)\]$/, '$1').toLowerCase()
    if (isIP(plain) !== 0) return findAddress(normalize(plain))
    if (plain === 'localhost') return ['127.0.0.1', '::1']
    const named = addressesOf(plain, host.readText('/etc/hosts') ?? '').map(normalize)
    const found = named.flatMap(findAddress)
    return found.length === named.length ? found : []
  }

  function findAddress(address: string): readonly string[] {
    // Connecting to the wildcard address connects to the host itself.
    if (address === '0.0.0.0') return ['127.0.0.1']
    if (address === '::') return ['::1']
    return address === '::1' || address.startsWith('127.') || ours.has(address) ? [address] : []
  }

  return find
}

function listOwnAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(({ address }) => address))
}

/** Of hosts(5). */
function addressesOf(name: string, hosts: string): string[] {
  return hosts.split('\n').flatMap(line => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/)
    return isIP(address) !== 0 && names.includes(name) ? address : []
  })
}

/** Without the interface of a link-local one, and IPv6 in the one form that each has. */
function normalize(address: string): string {
  const plain = address.replace(/%.*/, '')
  return isIP(plain) === 6 ? new URL(`http://[${plain}]/`).hostname.slice(1, -1) : plain
}

/** The eight numbers of an IPv6 address in its normal form. */
export function groupsOf(address: string): number[] {
  const [before = '', after] = address.split('::')
  const read = (part: string | undefined): number[] =>
    part ? part.split(':').map(group => Number.parseInt(group, 16)) : []
  const [first, last] = [read(before), read(after)]
  return after === undefined ? first : [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}
