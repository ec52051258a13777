import { join } from 'node:path'
import type { Action, WriteHost } from '../../src/core/provider.ts'
import { attempt, type JobContext, toError, together } from './batch.ts'
import { forgetCompletion } from './completion.ts'
import { stopUnits } from './job-running.ts'
import type { Layout } from './layout.ts'
import { managerCall } from './manager.ts'
import { readMarker } from './marker.ts'
import { triggersOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'

/** An action with the units that are Reeve's: none, if it only added to somebody else's. */
interface Going {
  readonly action: Action
  readonly units: readonly string[]
}

/** Stops what still runs, then all the links, then all the files, then one daemon-reload. */
export async function removeAll(actions: readonly Action[], context: JobContext): Promise<void> {
  const { bus, host, layout, report, reload } = context
  const stopped = (await Promise.all(actions.map(action => stopOwn(action, context)))).flatMap(going => going ?? [])
  if (stopped.length === 0) return
  const links = stopped.flatMap(({ units }) => units)
  try {
    if (links.length > 0) await bus.call(managerCall('DisableUnitFiles', 'asb', links, false))
  } catch (error) {
    for (const { action } of stopped) report({ id: action.id, ok: false, error: toError(error) })
    return
  }
  const removed = stopped.filter(({ action, units }) =>
    attempt(action, report, () => {
      removeDropIns(`${unitOf(action.service)}.d`, layout, host)
      for (const unit of units) {
        forgetCompletion(unit, host, layout)
        host.removeFile(join(layout.unitDirectory, unit))
      }
    }),
  )
  await together(
    removed.map(({ action }) => action),
    report,
    reload,
  )
}

async function stopOwn(action: Action, context: JobContext): Promise<Going | undefined> {
  const { disk, units, report } = context
  const unit = unitOf(action.service)
  const file = disk.find(unit)
  const isOwn = file.kind === 'found' && readMarker(file.text) !== undefined
  const own = isOwn ? [...triggersOf(action.service, file, disk), unit] : []
  const up = own.filter(name => (units.get(name)?.active ?? 'inactive') !== 'inactive')
  try {
    await stopUnits(up, action.signal, context)
    return { action, units: own }
  } catch (error) {
    report({ id: action.id, ok: false, error: toError(error) })
    return undefined
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
