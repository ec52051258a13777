import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { Observed } from '../../../src/core/state/observed.ts'
import { type LoadedUnit, readNumber } from '../bus/manager.ts'
import { readFailure } from './service-end.ts'

/** Since when a unit without a process of its own is in its state; and why it failed, if it has. */
export async function describeStarter(unit: LoadedUnit, bus: Bus): Promise<Pick<Observed, 'since' | 'message'>> {
  const message = unit.active === 'failed' ? await readFailure(unit, bus) : undefined
  const since = await readNumber(bus, unit.path, 'Unit', 'ActiveEnterTimestamp')
  // Whenever it starts a unit, its state changes for systemd, and it waits as before.
  const told = unit.active === 'active' && since > 0 ? { since: since / 1_000 } : await readSince(unit, bus)
  return { ...told, ...(message !== undefined && { message }) }
}

export function latestOf(found: readonly Pick<Observed, 'since'>[]): Pick<Observed, 'since'> {
  const times = found.flatMap(({ since }) => since ?? [])
  return times.length > 0 ? { since: Math.max(...times) } : {}
}

/** Absent: it has never been in another state. */
export async function readSince({ path }: LoadedUnit, bus: Bus): Promise<Pick<Observed, 'since'>> {
  const since = await readNumber(bus, path, 'Unit', 'StateChangeTimestamp')
  return since > 0 ? { since: since / 1_000 } : {}
}
