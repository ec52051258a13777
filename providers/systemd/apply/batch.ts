import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, Report } from '../../../src/core/contracts/provider.ts'
import type { LoadedUnit } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import type { Verifier } from '../units/verification.ts'
import type { Connection } from './connection.ts'

/** Context of a batch of actions. */
export interface Application extends Connection {
  readonly host: WriteHost
  readonly layout: Layout
  readonly report: Report
  readonly verifier: Verifier
}

/** Additional context of actions that need jobs of systemd. */
export interface JobContext extends Application {
  readonly disk: UnitSearchPath
  /** State when the batch began. */
  readonly units: ReadonlyMap<string, LoadedUnit>
}

export function openDisk({ host, directories }: Application, actions: readonly Action[]): UnitSearchPath {
  return readUnitSearchPath(host, directories, actions.length)
}
