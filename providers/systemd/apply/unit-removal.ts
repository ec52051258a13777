import { dirname, join } from 'node:path'
import { attempt, failureOf } from '../../../src/authoring/action-report.ts'
import type { WriteBus } from '../../../src/core/contracts/bus.ts'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, Report } from '../../../src/core/contracts/provider.ts'
import { managerCall } from '../bus/manager.ts'
import { forgetCompletion } from '../observe/completion.ts'
import { unitsAmong } from '../observe/managed-units.ts'
import { forgetRecord } from '../observe/records.ts'
import type { Layout } from '../units/layout.ts'
import { unitOf } from '../units/unit-name.ts'

/** An action whose units have been stopped. */
export interface Going {
  readonly action: Action
  /** Files that Reeve has written for the service: no unit is among them if it only added to somebody else's. */
  readonly parts: readonly string[]
  readonly report: Report
}

interface Context {
  readonly bus: WriteBus
  readonly host: WriteHost
  readonly layout: Layout
  /** See `Connection`. */
  reload(): Promise<unknown>
}

/** Removes all links, then all files, then does one daemon-reload. systemd goes through all links for each call. */
export async function removeUnits(stopped: readonly Going[], context: Context): Promise<void> {
  const { host, layout, reload } = context
  const unlinked = await removeLinks(stopped, context)
  const going = unlinked.filter(({ action, parts, report }) =>
    attempt(action, report, () => {
      const units = unitsAmong(parts, layout)
      for (const unit of units) forgetCompletion(unit, host, layout)
      removeParts(action.service, parts, layout, host)
      for (const unit of new Set([...units, unitOf(action.service)])) forgetRecord(unit, layout, host)
    }),
  )
  if (going.length === 0) return
  try {
    await reload()
    for (const { action, report } of going) report({ id: action.id, ok: true })
  } catch (error) {
    for (const { action, report } of going) report(failureOf(action, error))
  }
}

/** The unit last: its marker identifies leftovers of a crash. */
export function removeParts(service: string, parts: readonly string[], layout: Layout, host: WriteHost): void {
  const { unitDirectory } = layout
  const units = unitsAmong(parts, layout)
  for (const path of parts) if (dirname(path) !== unitDirectory) host.removeFile(path)
  host.removeDirectory(join(unitDirectory, `${unitOf(service)}.d`))
  for (const unit of units) host.removeFile(join(unitDirectory, unit))
}

/** Disables all in one call; if that fails, one by one, to find the cause. Returns those whose links are gone. */
async function removeLinks(stopped: readonly Going[], { bus, layout }: Context): Promise<readonly Going[]> {
  const disable = async (of: readonly Going[]): Promise<void> => {
    const units = of.flatMap(({ parts }) => unitsAmong(parts, layout))
    if (units.length > 0) await bus.call(managerCall('DisableUnitFiles', 'asb', units, false))
  }
  try {
    await disable(stopped)
    return stopped
  } catch {
    const done: Going[] = []
    for (const one of stopped) {
      try {
        await disable([one])
        done.push(one)
      } catch (error) {
        one.report(failureOf(one.action, error))
      }
    }
    return done
  }
}
