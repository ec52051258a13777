import { failureOf } from '../../../src/authoring/action-report.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import { isUp } from '../bus/manager.ts'
import { listParts, unitsAmong } from '../observe/managed-units.ts'
import type { JobContext } from './batch.ts'
import { stopUnits } from './job-running.ts'

/** Stops units that still run, one by one; the rest is done once for all that have stopped. */
export async function removeAll(actions: readonly Action[], context: JobContext): Promise<void> {
  await Promise.all(actions.map(action => remove(action, context)))
}

async function remove(action: Action, context: JobContext): Promise<void> {
  const { disk, units, report, remove, layout, host } = context
  const parts = listParts(action.service, disk, layout, host)
  const up = unitsAmong(parts, layout).filter(name => isUp(units.get(name)))
  try {
    await stopUnits(up, action.signal, context)
  } catch (error) {
    return report(failureOf(action, error))
  }
  await remove({ action, parts, report })
}
