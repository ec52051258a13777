import type { Action } from '../../src/core/provider.ts'
import { type JobContext, toError } from './batch.ts'
import { stopUnits } from './job-running.ts'
import { triggersOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'

/** Stops what still runs, each by itself; the rest is done for all together that have come so far. */
export async function removeAll(actions: readonly Action[], context: JobContext): Promise<void> {
  await Promise.all(actions.map(action => remove(action, context)))
}

async function remove(action: Action, context: JobContext): Promise<void> {
  const { disk, units, report, removals } = context
  const unit = unitOf(action.service)
  const file = disk.find(unit)
  const isOwn = file.kind === 'found' && file.ownership !== undefined
  const own = isOwn ? [...triggersOf(action.service, file, disk), unit] : []
  const up = own.filter(name => (units.get(name)?.active ?? 'inactive') !== 'inactive')
  try {
    await stopUnits(up, action.signal, context)
  } catch (error) {
    return report({ id: action.id, ok: false, error: toError(error) })
  }
  await removals.add({ action, units: own, report })
}
