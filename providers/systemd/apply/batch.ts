import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, Report } from '../../../src/core/contracts/provider.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import type { Connection } from '../bus/connection.ts'
import type { LoadedUnit } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import type { Verifier } from '../units/verification.ts'

/** What a batch of actions has at hand. */
export interface Application extends Connection {
  readonly host: WriteHost
  readonly layout: Layout
  readonly report: Report
  readonly verifier: Verifier
}

/** What those actions have besides that need jobs of systemd. */
export interface JobContext extends Application {
  readonly disk: UnitSearchPath
  /** As they were when the batch began. */
  readonly units: ReadonlyMap<string, LoadedUnit>
}

export function openDisk({ host, directories }: Application, actions: readonly Action[]): UnitSearchPath {
  return readUnitSearchPath(host, directories, actions.length)
}

/** True if it could be done; else the failure has been reported. */
export function attempt({ id }: Action, report: Report, act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    report({ id, ok: false, error: toError(error) })
    return false
  }
}

/** Does one thing for all of them, and reports how it went. */
export async function together(actions: readonly Action[], report: Report, act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
    for (const { id } of actions) report({ id, ok: true })
  } catch (error) {
    for (const { id } of actions) report({ id, ok: false, error: toError(error) })
  }
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}
