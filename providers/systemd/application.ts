import { dirname, join } from 'node:path'
import type { Action, Report, WriteBus, WriteHost } from '../../src/core/provider.ts'
import { messageOf, ReeveError } from '../../src/core/reeve-error.ts'
import { busErrorName } from '../../src/host/bus-error.ts'
import { type Disk, readDisk } from './disk.ts'
import { describeJobFailure } from './failure-report.ts'
import { followJobs, type Jobs } from './jobs.ts'
import type { Layout } from './layout.ts'
import { definitionOf } from './loaded.ts'
import { type LoadedUnit, listUnits, managerCall, openManager, readProperty, readTexts } from './manager.ts'
import { readMarker } from './marker.ts'
import { definitionVariable } from './records.ts'
import { triggersOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'

interface Application {
  readonly host: WriteHost
  readonly layout: Layout
  readonly bus: WriteBus
  readonly report: Report
}

/**
 * Carries out a batch: all that is written, one daemon-reload for it, links, then jobs side by side, each followed to its
 * end.
 */
export async function applyActions(
  actions: readonly Action[],
  layout: Layout,
  host: WriteHost,
  report: Report,
): Promise<void> {
  using bus = await openManager(host, layout)
  const application: Application = { host, layout, bus, report }
  const of = (...verbs: Action['verb'][]): Action[] => actions.filter(({ verb }) => verbs.includes(verb))
  await installAll(of('install'), application)
  await enableAll(of('enable', 'disable'), application)
  const [running, going] = [of('start', 'stop', 'restart', 'reload'), of('remove')]
  if (running.length + going.length === 0) return
  const context = {
    ...application,
    jobs: await followJobs(bus),
    units: await listUnits(bus),
    disk: await openDisk(application),
  }
  // One that is slow to stop holds up nobody else (E5).
  await Promise.all([runJobs(running, context), removeAll(going, context)])
}

async function installAll(actions: readonly Action[], { host, bus, report }: Application): Promise<void> {
  const written = actions.filter(action =>
    attempt(action, report, () => {
      if (!action.definition) throw new ReeveError('internal', 'expected a definition to install')
      for (const { path, content, mode } of action.definition.files) {
        host.makeDirectory(dirname(path), { mode: 0o755 })
        host.writeFile(path, content, { mode })
      }
    }),
  )
  if (written.length === 0) return
  await together(written, report, () => bus.call(managerCall('Reload')))
}

async function enableAll(actions: readonly Action[], application: Application): Promise<void> {
  if (actions.length === 0) return
  const disk = await openDisk(application)
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
  const call = (units: readonly string[]): Promise<readonly unknown[]> =>
    verb === 'enable'
      ? bus.call(managerCall('EnableUnitFiles', 'asbb', units, false, true))
      : bus.call(managerCall('DisableUnitFiles', 'asb', units, false))
  const linked = actions.map(action => ({ action, unit: linkedUnit(action.service, disk) }))
  try {
    await call(linked.map(({ unit }) => unit))
    for (const { action } of linked) report({ id: action.id, ok: true })
  } catch {
    for (const { action, unit } of linked) await together([action], report, () => call([unit]))
  }
}

function linkedUnit(service: string, disk: Disk): string {
  const unit = unitOf(service)
  return triggersOf(service, disk.find(unit), disk)[0] ?? unit
}

async function runJobs(actions: readonly Action[], context: JobContext): Promise<void> {
  const { bus, disk, units, report } = context
  if (await isAnyStale(actions, disk, units, bus)) await bus.call(managerCall('Reload'))
  await Promise.all(actions.map(action => together([action], report, () => runJob(action, context))))
}

interface JobContext extends Application {
  readonly disk: Disk
  readonly units: ReadonlyMap<string, LoadedUnit>
  readonly jobs: Jobs
}

const methods = { start: 'StartUnit', stop: 'StopUnit', restart: 'RestartUnit', reload: 'ReloadUnit' } as const

async function runJob({ verb, service, signal }: Action, context: JobContext): Promise<void> {
  if (!isJobVerb(verb)) return
  const { bus, disk, units } = context
  const unit = unitOf(service)
  const triggers = triggersOf(service, disk.find(unit), disk)
  const found = units.get(unit)
  if (verb !== 'stop') await bus.call(managerCall('ResetFailedUnit', 's', unit)).catch(passOverUnloaded)
  // What has ended for good is still active to systemd, which would start nothing.
  const method =
    verb === 'start' && found?.active === 'active' && found.sub === 'exited' ? 'RestartUnit' : methods[verb]
  const stopsFirst = triggers.length > 0 && (verb === 'stop' || verb === 'restart')
  if (verb === 'stop') for (const trigger of triggers) await follow('StopUnit', trigger, signal, context)
  if (stopsFirst || triggers.length === 0) await follow(stopsFirst ? 'StopUnit' : method, unit, signal, context)
  if (verb === 'reload' && triggers.length > 0 && found?.active === 'active')
    await follow('ReloadUnit', unit, signal, context)
  if (verb === 'start' || verb === 'restart') {
    for (const trigger of triggers) await follow(methods[verb], trigger, signal, context)
  }
}

function isJobVerb(verb: Action['verb']): verb is keyof typeof methods {
  return verb in methods
}

async function follow(method: string, unit: string, signal: AbortSignal, context: JobContext): Promise<void> {
  const { jobs, bus } = context
  try {
    const result = await jobs.run(managerCall(method, 'ss', unit, 'replace'), signal)
    if (result === 'done' || result === 'skipped') return
    throw new ReeveError('failed', await describeJobFailure(unit, result, context))
  } catch (error) {
    if (method === 'StopUnit' && busErrorName(error) === 'org.freedesktop.systemd1.NoSuchUnit') return
    throw error
  } finally {
    if (method === 'StopUnit') await bus.call(managerCall('ResetFailedUnit', 's', unit)).catch(passOverUnloaded)
  }
}

/** True if systemd would run another definition than the one on the disk: a crash came between writing and reloading. */
async function isAnyStale(
  actions: readonly Action[],
  disk: Disk,
  units: ReadonlyMap<string, LoadedUnit>,
  bus: WriteBus,
): Promise<boolean> {
  const stale = await Promise.all(
    actions.map(async ({ service, verb }) => {
      const file = disk.find(unitOf(service))
      const loaded = units.get(unitOf(service))
      if (verb === 'stop' || file.kind !== 'found' || !loaded) return false
      const written = definitionOf(file.text)
      if (written === undefined) return (await readProperty(bus, loaded.path, 'Unit', 'NeedDaemonReload')) === true
      const environment = await readTexts(bus, loaded.path, 'Service', 'Environment')
      return !environment.includes(`${definitionVariable}=${written}`)
    }),
  )
  return stale.includes(true)
}

async function removeAll(actions: readonly Action[], context: JobContext): Promise<void> {
  if (actions.length === 0) return
  const { bus, host, layout, report, disk, units } = context
  const stopped: { action: Action; owned: readonly string[] }[] = []
  await Promise.all(
    actions.map(async action => {
      const unit = unitOf(action.service)
      const file = disk.find(unit)
      const isOwn = file.kind === 'found' && readMarker(file.text) !== undefined
      const owned = isOwn ? [...triggersOf(action.service, file, disk), unit] : []
      try {
        for (const own of owned) {
          if ((units.get(own)?.active ?? 'inactive') === 'inactive') continue
          await follow('StopUnit', own, action.signal, context)
        }
        stopped.push({ action, owned })
      } catch (error) {
        report({ id: action.id, ok: false, error: toError(error) })
      }
    }),
  )
  const links = stopped.flatMap(({ owned }) => owned)
  if (links.length > 0) await bus.call(managerCall('DisableUnitFiles', 'asb', links, false))
  const removed = stopped.filter(({ action, owned }) =>
    attempt(action, report, () => {
      removeDropIns(`${unitOf(action.service)}.d`, layout, host)
      for (const own of owned) host.removeFile(join(layout.unitDirectory, own))
    }),
  )
  await together(
    removed.map(({ action }) => action),
    report,
    () => bus.call(managerCall('Reload')),
  )
}

function removeDropIns(name: string, { unitDirectory }: Layout, host: WriteHost): void {
  const directory = join(unitDirectory, name)
  for (const dropIn of host.readDirectory(directory) ?? []) {
    const path = join(directory, dropIn)
    if (readMarker(host.readText(path) ?? '') !== undefined) host.removeFile(path)
  }
  host.removeDirectory(directory)
}

async function openDisk({ bus, host }: Application): Promise<Disk> {
  return readDisk(host, await readTexts(bus, undefined, 'Manager', 'UnitPath'))
}

/** What isn't loaded has no failure to forget. */
function passOverUnloaded(error: unknown): void {
  if (busErrorName(error) !== 'org.freedesktop.systemd1.NoSuchUnit') throw error
}

/** True if it could be done; else the failure has been reported. */
function attempt({ id }: Action, report: Report, act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    report({ id, ok: false, error: toError(error) })
    return false
  }
}

/** Does one thing for all of them, and reports how it went. */
async function together(actions: readonly Action[], report: Report, act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
    for (const { id } of actions) report({ id, ok: true })
  } catch (error) {
    for (const { id } of actions) report({ id, ok: false, error: toError(error) })
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}
