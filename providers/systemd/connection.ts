import type { WriteBus, WriteHost } from '../../src/core/provider.ts'
import { followJobs, type Jobs } from './jobs.ts'
import type { Layout } from './layout.ts'
import { openManager, readTexts } from './manager.ts'
import { createReload, type Reload } from './reload.ts'

/** What all batches share that are under way at the same time. */
export interface Connection {
  readonly bus: WriteBus
  readonly jobs: Jobs
  readonly reload: Reload
  /** The manager's search path for units, best first. */
  readonly directories: readonly string[]
}

/** With many services under way batches are many and small, and each connection is told of all jobs of all the others. */
export interface Connections {
  /** On the connection that is open, or on a new one, which ends with the last who uses it. */
  use(host: WriteHost, layout: Layout, act: (connection: Connection) => Promise<void>): Promise<void>
}

interface Shared {
  readonly opening: Promise<Connection>
  users: number
}

export function createConnections(): Connections {
  /** By the directory of units: what is done on a host is that host's, as its harness counts it. */
  const byHost = new WeakMap<WriteHost, Map<string, Shared>>()

  return {
    async use(host, layout, act) {
      const open = byHost.get(host) ?? new Map<string, Shared>()
      byHost.set(host, open)
      const key = layout.unitDirectory
      const shared = open.get(key) ?? { opening: openConnection(host, layout), users: 0 }
      const forget = (): void => {
        if (open.get(key) === shared) open.delete(key)
      }
      open.set(key, shared)
      shared.users += 1
      try {
        const connection = await shared.opening
        void connection.bus.ended.then(forget)
        await act(connection)
      } finally {
        shared.users -= 1
        if (shared.users === 0) {
          forget()
          await shared.opening.then(({ bus }) => bus[Symbol.dispose]()).catch(() => {}) // that it never opened has been told
        }
      }
    },
  }
}

async function openConnection(host: WriteHost, layout: Layout): Promise<Connection> {
  const bus = await openManager(host, layout)
  try {
    const [jobs, directories] = await Promise.all([followJobs(bus), readTexts(bus, undefined, 'Manager', 'UnitPath')])
    return { bus, jobs, reload: createReload(bus), directories }
  } catch (error) {
    bus[Symbol.dispose]()
    throw error
  }
}
