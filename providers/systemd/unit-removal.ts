import { join } from 'node:path'
import type { Action, Report, WriteBus, WriteHost } from '../../src/core/provider.ts'
import { attempt, toError } from './batch.ts'
import { forgetCompletion } from './completion.ts'
import type { Layout } from './layout.ts'
import { managerCall } from './manager.ts'
import { readMarker } from './marker.ts'
import type { Reload } from './reload.ts'
import { unitOf } from './unit-name.ts'

/** An action whose units have been stopped: those that are Reeve's, and none if it only added to somebody else's. */
export interface Going {
  readonly action: Action
  readonly units: readonly string[]
  readonly report: Report
}

/** All the links, then all the files, then one daemon-reload. systemd looks through all links for each call. */
export async function removeUnits(
  stopped: readonly Going[],
  { bus, host, layout, reload }: { bus: WriteBus; host: WriteHost; layout: Layout; reload: Reload },
): Promise<void> {
  const links = stopped.flatMap(({ units }) => units)
  let going = stopped
  try {
    if (links.length > 0) await bus.call(managerCall('DisableUnitFiles', 'asb', links, false))
    going = stopped.filter(({ action, units, report }) =>
      attempt(action, report, () => {
        removeDropIns(`${unitOf(action.service)}.d`, layout, host)
        for (const unit of units) {
          forgetCompletion(unit, host, layout)
          host.removeFile(join(layout.unitDirectory, unit))
        }
      }),
    )
    await reload()
    for (const { action, report } of going) report({ id: action.id, ok: true })
  } catch (error) {
    for (const { action, report } of going) report({ id: action.id, ok: false, error: toError(error) })
  }
}

function removeDropIns(name: string, { unitDirectory }: Layout, host: WriteHost): void {
  const directory = join(unitDirectory, name)
  for (const dropIn of host.readDirectory(directory) ?? []) {
    const path = join(directory, dropIn)
    if (readMarker(host.readText(path) ?? '') !== undefined) host.removeFile(path)
  }
  host.removeDirectory(directory)
}
