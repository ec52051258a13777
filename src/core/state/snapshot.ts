import type { Observed, ObservedFile, OwnedService, Ownership } from './observed.ts'
import type { Placed } from './place.ts'
import type { ServiceTies } from './relation.ts'

/** What a refresh found on the host. Everything that a plan depends on besides what is declared. */
export interface Snapshot extends Placed {
  /** By `locationKey`. A service that isn't here wasn't asked about. */
  readonly services: ReadonlyMap<string, Observed>
  /** All that carries a Reeve's marker, under every supervisor that answered. */
  readonly owned: readonly OwnedLocation[]
  /** Supervisors that don't answer, with the reason. */
  readonly unavailable: ReadonlyMap<string, string>
  /** Definition files and configuration files, by path. */
  readonly files: ReadonlyMap<string, ObservedFile>
  /**
   * Services that run a controller of Reeve, and other names of those: found by the process, or by the marker that `reeve
   * install` leaves.
   */
  readonly controllers?: readonly Location[]
  /** What declared services have to do with one another, by `locationKey`, as of the last look at everything. Absent: nothing. */
  readonly ties?: ReadonlyMap<string, ServiceTies>
}

export interface Location {
  readonly supervisor: string
  readonly service: string
}

export interface OwnedLocation extends Location {
  readonly ownership: Ownership
}

/** One string for a service of a supervisor. Names hold no slash. */
export function locationKey(location: Location): string {
  return `${location.supervisor}/${location.service}`
}

export function ownedLocation(supervisor: string, found: OwnedService): OwnedLocation {
  return { supervisor, service: found.service, ownership: found.ownership }
}
