import type { Observed, ObservedFile, OwnedService, Ownership } from './observed.ts'
import type { Placed } from './place.ts'
import type { ServiceTies } from './relation.ts'

/** Snapshot of the host: everything that a plan depends on besides the declared state. */
export interface Snapshot extends Placed {
  /** Observed services, by `locationKey`. A service that isn't here wasn't observed. */
  readonly services: ReadonlyMap<string, Observed>
  /** All services with a Reeve's marker, of every supervisor that answered. */
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
  /** Relations of declared services, by `locationKey`, as of the last refresh. Absent: none. */
  readonly ties?: ReadonlyMap<string, ServiceTies>
  /** Relations by the present definitions of services that are declared otherwise now, by `locationKey`. Absent: none. */
  readonly formerTies?: ReadonlyMap<string, ServiceTies>
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
