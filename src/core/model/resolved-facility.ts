import type { Definition } from './definition.ts'
import type { Facility, OnChange } from './facility.ts'
import type { UserIdentity } from './user-identity.ts'

/** A facility as this host is to have it: its definition rendered, names of owners looked up. What plans are made of. */
export interface ResolvedFacility {
  readonly facility: Facility
  /** Absent: Reeve writes no definition for it. */
  readonly definition?: Definition
  /** Of all that its definition has on disk, the marker included, which `Definition.digest` leaves out: hexadecimal SHA-256. */
  readonly imprint?: string
  /**
   * The same with the marker of an earlier version, where such a one is on the host: that is as declared too, and is
   * brought up to date when something else is installed.
   */
  readonly earlier?: Definition
  /** Of the definition under the facility's former name: a process that was started with it owes nothing for its name. */
  readonly formerDigest?: string
  readonly files: readonly ResolvedFile[]
  /** Why it can't be had on this host as declared; then nothing is done about it. */
  readonly problems: readonly string[]
  /**
   * Why a start is certain to fail on this host as it is, with all that the facility and those it depends on bring. It is tried
   * where nothing can be lost by that. Absent: nothing is known to be in its way.
   */
  readonly startProblems?: readonly string[]
  /** Absent: nobody else has the port where its health check looks, as far as can be told. */
  readonly takenPort?: TakenPort
}

/** The port of a health check, and the process that listens there now. */
export interface TakenPort {
  readonly port: number
  readonly pid: number
  readonly name: string
  /** The service that the process is of, by `locationKey`. Absent: none that is known. */
  readonly holder?: string
  /** True: the service listens by itself where its check looks, so that it can't do without. Else a proxy may answer for it. */
  readonly isNeeded: boolean
}

export interface ResolvedFile {
  readonly path: string
  readonly content: Uint8Array
  /** Of the content: hexadecimal SHA-256. */
  readonly digest: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly onChange: OnChange
  readonly onRemove?: 'delete'
  /** Whose rights it is written with, as root doesn't work in its directory: others can write there (S8). Absent: Reeve's own. */
  readonly actAs?: UserIdentity
}
