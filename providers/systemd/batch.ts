import type { Action, Report, WriteHost } from '../../src/core/provider.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import type { Connection } from './connection.ts'
import { type Disk, readDisk } from './disk.ts'
import type { Layout } from './layout.ts'
import type { LoadedUnit } from './manager.ts'
import type { Verifier } from './verification.ts'

/** What a batch of actions has at hand. */
export interface Application extends Connection {
  readonly host: WriteHost
  readonly layout: Layout
  readonly report: Report
  readonly verifier: Verifier
}

/** What those actions have besides that need jobs of systemd. */
export interface JobContext extends Application {
  readonly disk: Disk
  /** As they were when the batch began. */
  readonly units: ReadonlyMap<string, LoadedUnit>
}

export function openDisk({ host, directories }: Application, actions: readonly Action[]): Disk {
  return readDisk(host, directories, actions.length)
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
