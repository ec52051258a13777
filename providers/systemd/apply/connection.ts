import { coalesce, coalesceItems } from '../../../src/authoring/coalesce.ts'
import type { WriteBus } from '../../../src/core/contracts/bus.ts'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, Report } from '../../../src/core/contracts/provider.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { managerCall, readUnitPath } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { followJobs, type Jobs } from './jobs.ts'
import { type Going, removeUnits } from './unit-removal.ts'

/** State shared by all simultaneous batches. */
export interface Connection {
  readonly bus: WriteBus
  readonly jobs: Jobs
  /** Resolves when systemd has read what is on the disk now: one daemon-reload, which takes long, does for many. */
  reload(): Promise<unknown>
  /** Resolves when the units are removed, with those of others. */
  remove(going: Going): Promise<void>
  readonly clock: Clock
  /** The manager's search path for units, highest priority first. */
  readonly directories: readonly string[]
}

/** With many services, batches are many and small, and each connection is told of all jobs of all the others. */
export interface Connections {
  /** Runs on the open connection, or on a new one, which ends with its last user. */
  use(
    actions: readonly Action[],
    report: Report,
    act: (connection: Connection, report: Report) => Promise<void>,
  ): Promise<void>
}

interface Shared {
  readonly opening: Promise<Connection>
  /** Actions that haven't been reported yet. */
  readonly pending: Set<string>
  users: number
}

export function createConnections(layout: Layout, host: WriteHost, clock: Clock): Connections {
  let current: Shared | undefined

  function share(): Shared {
    const pending = new Set<string>()
    return { opening: openConnection(host, layout, pending, clock), pending, users: 0 }
  }

  return {
    async use(actions, report, act) {
      const shared = current ?? share()
      const forget = (): void => {
        if (current === shared) current = undefined
      }
      current = shared
      shared.users += 1
      for (const { id } of actions) shared.pending.add(id)
      try {
        const connection = await shared.opening
        void connection.bus.ended.then(forget)
        await act(connection, result => {
          shared.pending.delete(result.id)
          report(result)
        })
      } finally {
        for (const { id } of actions) shared.pending.delete(id)
        shared.users -= 1
        if (shared.users === 0) {
          forget()
          await shared.opening.then(({ bus }) => bus[Symbol.dispose]()).catch(() => {}) // a failure to open has been reported
        }
      }
    },
  }
}

async function openConnection(
  host: WriteHost,
  layout: Layout,
  pending: ReadonlySet<string>,
  clock: Clock,
): Promise<Connection> {
  const bus = host.openBus(layout.manager)
  try {
    const [jobs, directories] = await Promise.all([followJobs(bus), readUnitPath(bus)])
    const reload = coalesce(() => bus.call(managerCall('Reload')))
    const remove = coalesceItems<Going>(
      items => removeUnits(items, { bus, host, layout, reload }),
      waiting => pending.size > waiting,
      clock,
    )
    return { bus, jobs, reload, remove, clock, directories }
  } catch (error) {
    bus[Symbol.dispose]()
    throw error
  }
}
