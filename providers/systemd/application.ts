import { dirname } from 'node:path'
import type { Action, Report, WriteHost } from '../../src/core/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Application, attempt, openDisk, together } from './batch.ts'
import type { Connections } from './connection.ts'
import type { Disk } from './disk.ts'
import { runJobs } from './job-running.ts'
import type { Layout } from './layout.ts'
import { enableUnits, findLink, linkAll } from './linking.ts'
import { findUnits } from './manager.ts'
import { removeAll } from './removal.ts'
import { unitsOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'
import { verifyUnits } from './verification.ts'

/**
 * Carries out a batch: all that is written, one daemon-reload for it, links, then jobs side by side, each followed to its
 * end.
 */
export async function applyActions(
  actions: readonly Action[],
  layout: Layout,
  host: WriteHost,
  connections: Connections,
  report: Report,
): Promise<void> {
  await connections.use(actions, { host, layout, report }, (connection, report) =>
    carryOut(actions, { ...connection, host, layout, report }),
  )
}

async function carryOut(actions: readonly Action[], application: Application): Promise<void> {
  const of = (...verbs: Action['verb'][]): Action[] => actions.filter(({ verb }) => verbs.includes(verb))
  await installAll(of('install'), application)
  await linkAll(of('enable', 'disable'), application)
  const [running, going] = [of('start', 'stop', 'restart', 'reload'), of('remove')]
  if (running.length + going.length === 0) return
  const disk = openDisk(application, [...running, ...going])
  const names = [...running, ...going].flatMap(({ service }) => [unitOf(service), ...unitsOf(service, disk)])
  const context = { ...application, disk, units: await findUnits(application.bus, names) }
  // One that is slow to stop holds up nobody else (E5).
  await Promise.all([runJobs(running, context), removeAll(going, context)])
}

async function installAll(actions: readonly Action[], application: Application): Promise<void> {
  if (actions.length === 0) return
  const { host, report, reload } = application
  const before = openDisk(application, actions)
  const taken = await verifyUnits(actions, before, application)
  const enabled = new Set(actions.filter(({ service }) => isEnabled(service, before)))
  const written = taken.filter(action =>
    attempt(action, report, () => {
      if (!action.definition) throw new ReeveError('internal', 'expected a definition to install')
      for (const { path, content, mode } of action.definition.files) {
        host.makeDirectory(dirname(path), { mode: 0o755 })
        host.writeFile(path, content, { mode })
      }
    }),
  )
  if (written.length === 0) return
  await together(written, report, async () => {
    await reload()
    // One that was enabled, and whose new `[Install]` asks for other links.
    const after = openDisk(application, actions)
    const moved = written.filter(action => enabled.has(action) && !isEnabled(action.service, after))
    await enableUnits(
      moved.map(({ service }) => findLink(service, after)),
      application,
    )
  })
}

function isEnabled(service: string, disk: Disk): boolean {
  return disk.enablement(findLink(service, disk).unit).enabled === true
}
