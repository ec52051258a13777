import type { Action, WriteBus } from '../../src/core/provider.ts'
import { type Application, openDisk, together } from './batch.ts'
import type { Disk } from './disk.ts'
import { managerCall } from './manager.ts'
import { readMarker } from './marker.ts'
import { triggersOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'

/**
 * Enables and disables. Without a daemon-reload: at boot systemd reads everything anew, and till then only what somebody
 * asks of the target itself would show the difference.
 */
export async function linkAll(actions: readonly Action[], application: Application): Promise<void> {
  if (actions.length === 0) return
  const disk = openDisk(application, actions)
  for (const verb of ['enable', 'disable'] as const) {
    const chosen = actions.filter(action => action.verb === verb)
    if (chosen.length > 0) await link(verb, chosen, disk, application)
  }
}

/** All in one call; if that fails, each by itself, to tell whose fault it is. */
async function link(
  verb: 'enable' | 'disable',
  actions: readonly Action[],
  disk: Disk,
  { bus, report }: Application,
): Promise<void> {
  const linked = actions.map(action => ({ action, ...findLink(action.service, disk) }))
  const call = (of: readonly Link[]): Promise<unknown> =>
    verb === 'enable'
      ? enableUnits(of, bus)
      : bus.call(
          managerCall(
            'DisableUnitFiles',
            'asb',
            of.map(({ unit }) => unit),
            false,
          ),
        )
  try {
    await call(linked)
    for (const { action } of linked) report({ id: action.id, ok: true })
  } catch {
    for (const link of linked) await together([link.action], report, () => call([link]))
  }
}

/** A unit that systemd has links for. */
interface Link {
  readonly unit: string
  readonly isOwn: boolean
}

/** Of Reeve's own units, links go that an earlier `[Install]` asked for. Others' may be aliases that a person made. */
export async function enableUnits(links: readonly Link[], bus: WriteBus): Promise<void> {
  for (const isOwn of [true, false]) {
    const units = links.filter(link => link.isOwn === isOwn).map(({ unit }) => unit)
    if (units.length === 0) continue
    await bus.call(managerCall(isOwn ? 'ReenableUnitFiles' : 'EnableUnitFiles', 'asbb', units, false, true))
  }
}

/** What starts the service, and never an alias. */
export function findLink(service: string, disk: Disk): Link {
  const unit = unitOf(service)
  const file = disk.find(unit)
  if (file.kind !== 'found') return { unit, isOwn: false }
  return { unit: triggersOf(service, file, disk)[0] ?? file.unit, isOwn: readMarker(file.text) !== undefined }
}
