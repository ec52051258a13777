import type { Definition } from './definition.ts'
import type { Facility, ManagedFile } from './facility.ts'
import type { UserIdentity } from './user-identity.ts'

/** Resolved facility: with its definition rendered and owners looked up for this host. Plans are made of these. */
export interface ResolvedFacility {
  readonly facility: Facility
  /** Absent: Reeve writes no definition for it. */
  readonly definition?: Definition
  /** The mark of the newest accepted revision, which stands in the definition's marker. Another one there is no difference. */
  readonly mark?: string
  /** Hexadecimal SHA-256 of the definition's files with the marker, but for `mark`. */
  readonly imprint?: string
  /**
   * The same with the marker of an earlier version, where such a one is on the host: that is as declared too, and is
   * brought up to date when something else is installed.
   */
  readonly earlier?: Definition
  /** Digest of the definition under the former name: a process started with it needs no restart. */
  readonly formerDigest?: string
  readonly files: readonly ResolvedFile[]
  /** Problems that block the facility on this host; then no step is planned. */
  readonly problems: readonly string[]
  /**
   * Why a start is certain to fail on this host as it is, with all that the facility and those it depends on bring. It is tried
   * where nothing can be lost by that. Absent: nothing is known to be in its way.
   */
  readonly startProblems?: readonly string[]
  /** Port of the health check that another process holds. Absent: none is known to. */
  readonly takenPort?: TakenPort
}

/** The port of a health check, and the process that listens there now. */
export interface TakenPort {
  readonly port: number
  readonly pid: number
  readonly name: string
  /** Service of that process, by `locationKey`. Absent: unknown. */
  readonly holder?: string
  /** True: the service needs this port itself. Else a proxy may answer the check. */
  readonly isNeeded: boolean
}

export interface ResolvedFile extends Omit<ManagedFile, 'owner' | 'group'> {
  /** Of the content: hexadecimal SHA-256. */
  readonly digest: string
  readonly uid: number
  readonly gid: number
  /** For people: `web:www`, where ids mean nothing, as the host isn't this one. */
  readonly ownerNames?: string
  /** User whose rights it is written with, as others can write its directory (S8). Absent: Reeve's own. */
  readonly actAs?: UserIdentity
}
