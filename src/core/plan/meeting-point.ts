import type { Facility } from '../model/facility.ts'
import type { Ownership } from '../state/observed.ts'
import { asDirectory, type Placed, placeOf } from '../state/place.ts'

/** Hexadecimal SHA-256 of a text. */
type Hash = (text: string) => string

/**
 * Meeting points of a facility: what two services must not use at the same time (E24), as short keys: `dir:/srv/web`,
 * `file:/var/log/web.log`, `port:8080`, `cmd:` with a digest of the command. They are in the marker, which is all that is
 * known of a service whose manifest is gone. The digest reveals no more than the definition beside the marker, which has the
 * command itself.
 */
export function meetingPointsOf(facility: Facility, hash: Hash): string[] {
  const { process, config, files } = facility
  const points = new Set<string>()
  // `/` is no service's own.
  const directory = process?.workingDirectory
  if (directory !== undefined && directory !== '/') points.add(`dir:${directory}`)
  for (const { path } of files) points.add(`file:${path}`)
  if (process?.output) points.add(`file:${process.output.file}`)
  const port = portPointOf(facility)
  if (port !== undefined) points.add(port)
  const command = process ? process.command : config
  if (command !== undefined) points.add(`cmd:${hash(JSON.stringify(command)).slice(0, 16)}`)
  return [...points].sort()
}

/** Marker of a facility. */
export function makeOwnership(facility: Facility, owner: string, hash: Hash): Ownership {
  const files = facility.files.map(file => file.path).sort()
  return {
    owner,
    facility: facility.name,
    files,
    dependsOn: [...facility.dependsOn].sort(),
    prune: facility.prune,
    meets: meetingPointsOf(facility, hash).filter(point => !files.includes(point.replace(/^file:/, ''))),
  }
}

/** `port:8080`; undefined if the facility declares none. */
export function portPointOf({ health }: Facility): string | undefined {
  const port = health && portOf(health.check)
  return port === undefined ? undefined : `port:${port}`
}

/**
 * Port by its number alone: a service may listen at all addresses, and `localhost` has several names.
 */
function portOf(check: NonNullable<Facility['health']>['check']): string | undefined {
  if (check.type === 'tcp') return String(check.port)
  if (check.type === 'exec') return undefined
  const [, scheme, authority] = /^(https?):\/\/([^/?#]*)/i.exec(check.url) ?? []
  if (scheme === undefined || authority === undefined) return undefined
  return /:(\d+)$/.exec(authority)?.[1] ?? (scheme.toLowerCase() === 'https' ? '443' : '80')
}

/** Meeting point with its path resolved. */
export function placePoint(point: string, placed: Placed): string {
  const path = pathOf(point)
  if (path === undefined) return point
  if (!point.startsWith('dir:')) return `file:${placeOf(path, placed)}`
  return `dir:${placeOf(asDirectory(path), placed).replace(/(.)\/$/, '$1')}`
}

/** Path of a meeting point; undefined if it has none. */
export function pathOf(point: string): string | undefined {
  return /^(?:dir|file):(.*)$/s.exec(point)?.[1]
}

/** `port 8080`, for people. */
export function describePoint(point: string): string {
  const at = point.indexOf(':')
  const rest = point.slice(at + 1)
  switch (point.slice(0, at)) {
    case 'dir':
      return `directory ${rest}`
    case 'file':
      return `file ${rest}`
    case 'port':
      return `port ${rest}`
    default:
      return 'the same command'
  }
}
