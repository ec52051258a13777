import type { Process } from './facility.ts'

/** What the supervisor reads to run a service: files, all owned by the user Reeve runs as. */
export interface Definition {
  readonly files: readonly DefinitionFile[]
  /**
   * Hexadecimal SHA-256 of all that a running process depends on: the contents without Reeve's marker, which can change
   * without a restart being owed. The provider finds it again in the running process's `Loaded.definition`.
   */
  readonly digest: string
  /**
   * True: it only adds to a service that somebody else defines, a package mostly. That needs no adoption, and when it goes
   * the service stays. The marker says so too.
   */
  readonly isAddition?: boolean
  /**
   * Other services that it starts, stops, replaces or hands something to by naming them, as `Facility.service` would: the host's
   * owner decides whether it may (S3). What it is only ordered after or before isn't touched.
   */
  readonly touches?: readonly string[]
  /** Process with native configuration laid over `spec.process`: its paths are checked before a plan is made. */
  readonly process?: Process
}

export interface DefinitionFile {
  readonly path: string
  readonly content: string
  readonly mode: number
}
