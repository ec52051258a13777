import { attempt, failureOf, together } from '../../../src/authoring/action-report.ts'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, Report } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { findUnits, isUp } from '../bus/manager.ts'
import { enablementOf, unitsOf } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { refuseRootPaths } from '../units/root-paths.ts'
import { unitOf } from '../units/unit-name.ts'
import type { UnitSearchPath } from '../units/unit-search-path.ts'
import type { Verifier } from '../units/verification.ts'
import { type Application, openDisk } from './batch.ts'
import type { Connections } from './connection.ts'
import { runJobs, stopUnits } from './job-running.ts'
import { enableUnits, findLinks, linkAll } from './linking.ts'
import { removeAll } from './removal.ts'
import { keepRunsOf } from './run-keeping.ts'
import { findUnitReplacement, renew, type UnitReplacement } from './unit-replacement.ts'

/** Time in ms that systemd may take to verify a batch of definitions before they are written. */
const VERIFY_PATIENCE = 30_000

/** Executes a batch: all files, one daemon-reload for them, links, then jobs side by side, each followed to its end. */
export async function applyActions(
  actions: readonly Action[],
  layout: Layout,
  host: WriteHost,
  { connections, verifier }: { readonly connections: Connections; readonly verifier: Verifier },
  report: Report,
): Promise<void> {
  await connections.use(actions, report, (connection, report) =>
    carryOut(actions, { ...connection, host, layout, report, verifier }),
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
  // A unit that is slow to stop delays no other (E5).
  await Promise.all([runJobs(running, context), removeAll(going, context)])
}

async function installAll(actions: readonly Action[], application: Application): Promise<void> {
  if (actions.length === 0) return
  const { report, reload, host } = application
  const before = openDisk(application, actions)
  const safe = actions.filter(action => {
    const texts = action.definition?.files.map(({ content }) => content) ?? []
    return attempt(action, report, () => refuseRootPaths(texts, host))
  })
  const taken = await verifyActions(safe, before, application)
  const enabled = new Set(actions.filter(({ service }) => isEnabled(service, before)))
  const renewals = taken.flatMap(action => {
    const found: UnitReplacement[] = []
    attempt(action, report, () => found.push(findUnitReplacement(action, before, application)))
    return found
  })
  await keepRunsOf(taken, before, application)
  const stopped = await stopTriggers(renewals, before, application)
  const written = stopped.filter(renewal => attempt(renewal.action, report, () => renew(renewal, application)))
  if (written.length === 0) return
  const installed = written.map(({ action }) => action)
  await together(installed, report, async () => {
    await reload()
    // Units that were enabled, and whose new `[Install]` asks for other links.
    const after = openDisk(application, actions)
    const moved = installed.filter(action => enabled.has(action) && lacksLinks(action.service, after))
    await enableUnits(
      moved.flatMap(({ service }) => findLinks(service, after)),
      application,
    )
  })
}

/** Returns the actions whose files systemd accepts; problems of the others are reported. */
async function verifyActions(
  actions: readonly Action[],
  disk: UnitSearchPath,
  { host, layout, report, verifier }: Application,
): Promise<readonly Action[]> {
  const problems = await verifier.verify(actions, { disk, layout, host, timeout: VERIFY_PATIENCE })
  return actions.filter(action =>
    attempt(action, report, () => {
      const problem = problems.get(action.service)
      if (problem !== undefined) throw new ReeveError('invalid', problem)
    }),
  )
}

/**
 * Stops activation units that the new definition drops, which would otherwise keep running. Returns the actions for which
 * that succeeded.
 */
async function stopTriggers(
  renewals: readonly UnitReplacement[],
  disk: UnitSearchPath,
  application: Application,
): Promise<readonly UnitReplacement[]> {
  const names = renewals.flatMap(({ triggers }) => triggers)
  if (names.length === 0) return renewals
  const units = await findUnits(application.bus, names)
  const context = { ...application, disk, units }
  const failed = new Set<UnitReplacement>()
  await Promise.all(
    renewals.map(async renewal => {
      const { signal } = renewal.action
      try {
        await stopUnits(
          renewal.triggers.filter(name => isUp(units.get(name))),
          signal,
          context,
        )
      } catch (error) {
        failed.add(renewal)
        application.report(failureOf(renewal.action, error))
      }
    }),
  )
  return renewals.filter(renewal => !failed.has(renewal))
}

function isEnabled(service: string, disk: UnitSearchPath): boolean {
  const { enabled } = enablementOf(service, disk)
  return enabled === true || enabled === 'partly'
}

/** `fixed` is as good as possible. */
function lacksLinks(service: string, disk: UnitSearchPath): boolean {
  const { enabled } = enablementOf(service, disk)
  return enabled === false || enabled === 'partly'
}
