import { join } from 'node:path'
import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ProcessFacts, ReadHost } from '../../../src/core/contracts/host.ts'
import { lookUp } from '../../../src/core/dictionary.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import {
  type Observed,
  type OwnedService,
  type ServiceState,
  unknownService,
} from '../../../src/core/state/observed.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { isLiving } from '../../../src/host/process-identity.ts'
import { createAgeReader } from '../../posix/process-age.ts'
import { findUnits, type LoadedUnit, readNumber, readProperty, readUnitPath } from '../bus/manager.ts'
import { enablementOf, triggersOf, unitsOf } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { readMarker } from '../units/marker.ts'
import { readSections } from '../units/unit-file.ts'
import { hasSuffix, servicesOf, unitOf } from '../units/unit-name.ts'
import { readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import { isStarter, readActivation } from './activation-unit.ts'
import { explainGoodEnd, findUnwatched } from './background.ts'
import { findCompletion } from './completion.ts'
import { describeLoad } from './exit-words.ts'
import { journalCommand } from './failure-report.ts'
import type { Ground } from './ground.ts'
import type { LastRunReader } from './last-run.ts'
import { findLoaded, findLoadedTrigger, readStart } from './loaded-definition.ts'
import { findManagedUnits, listParts, type ManagedUnits } from './managed-units.ts'
import { listOthers } from './other-owners.ts'
import type { RestartReader, Restarts } from './restarts.ts'
import { describeEnd, describeFailure, readExit, readFailure } from './service-end.ts'
import { describeStarter, latestOf, readSince } from './since.ts'

/** Resources of an observer. */
export interface ObserverGround extends Ground {
  readonly restarts: RestartReader
  readonly lastRuns: LastRunReader
}

export interface Look extends ObserverGround {
  readonly disk: UnitSearchPath
  readonly units: ReadonlyMap<string, LoadedUnit>
  /** Number of services observed together. */
  readonly asked: number
  /** Most services have run for long, and systemd needn't be queried for their start time. */
  sinceWhen(process: ProcessFacts): number | undefined
}

/**
 * One listing for many; enablement and definitions from the disk; properties only of units that run or have failed. A unit
 * that isn't loaded is not queried: it would be loaded for that, which is reported as a change.
 */
export async function observeServices(
  services: readonly string[],
  ground: ObserverGround,
): Promise<Map<string, Observed>> {
  try {
    const { bus, host } = ground
    const disk = readUnitSearchPath(host, await readUnitPath(bus), services.length)
    const names = services.flatMap(service => unitsToAskFor(service, disk))
    const units = await findUnits(bus, names)
    const look: Look = {
      ...ground,
      disk,
      units,
      asked: services.length,
      sinceWhen: createAgeReader(host),
    }
    const observed = await Promise.all(services.map(service => observeService(service, look).catch(unknown(service))))
    return new Map(observed.map(one => [one.service, one]))
  } catch (error) {
    return new Map(services.map(service => [service, unknown(service)(error)]))
  }
}

/** An unreadable unit is reported when its service is observed, and doesn't keep others from being observed. */
function unitsToAskFor(service: string, disk: UnitSearchPath): readonly string[] {
  return tryTo(() => unitsOf(service, disk)) ?? []
}

function unknown(service: string): (error: unknown) => Observed {
  return error => unknownService(service, messageOf(error))
}

/** `declared`: units that start it, if they aren't what Reeve wrote for it. */
export async function observeService(service: string, look: Look, declared?: readonly string[]): Promise<Observed> {
  const { disk, units } = look
  const unit = unitOf(service)
  const file = disk.find(unit)
  const own = units.get(file.kind === 'found' ? file.unit : unit)
  // Without a file, a unit that doesn't run exists only in systemd's memory, until its next daemon-reload.
  const isGone = own?.load === 'not-found' || file.kind === 'absent'
  const loaded = isGone && own?.active === 'inactive' ? undefined : own
  // The socket or timer, or both, is started and enabled if Reeve wrote it for the service.
  const triggers = declared ?? triggersOf(service, file, disk)
  const { enabled, message } = enablementOf(service, disk, triggers)
  const written = findManagedUnits(unit, file, look.layout, look.host)
  const ownership = written?.ownership
  const parts = listParts(service, disk, look.layout, look.host)
  const overrides = disk.dropIns(unit).filter(path => readMarker(look.host.readText(path) ?? '') === undefined)
  const others = listOthers(service, ownership?.owner, disk, look.layout, look.host)
  const base = {
    service,
    enabled,
    supervised: true,
    output: journalCommand(unit, look.layout),
    ...(ownership && { ownership }),
    ...(parts.length > 0 && { definitionFiles: parts }),
    ...(others.length > 0 && { others }),
    ...(overrides.length > 0 && { overrides }),
    ...(written?.isEarlierForm && { isEarlierForm: true as const }),
    ...(knowsNoReload(unit, disk) && { canReload: false as const }),
  }
  if (!loaded && triggers.length === 0) {
    const state = file.kind === 'absent' ? 'absent' : 'stopped'
    return { ...base, state, ...describeCompletion(unit, written, look), ...(message !== undefined && { message }) }
  }
  const judged = loaded ? await judge(loaded, written, look) : ({ state: 'stopped' } as const)
  const why = judged.message ?? message
  const completion = judged.state === 'stopped' ? describeCompletion(unit, written, look) : {}
  const whole = { ...base, ...judged, ...completion, ...(why !== undefined && { message: why }) }
  if (triggers.length === 0) {
    if (!loaded || loaded.name.endsWith('.service')) return whole
    const read = written && (await findLoadedTrigger(loaded, written.path, written, look))
    const activation = isStarter(loaded.name) ? await readActivation([loaded], unit, look) : undefined
    return { ...whole, ...(read && { loaded: read }), ...(activation && { activation }) }
  }
  // The end of the service itself, its time and its reason have no meaning here.
  const { loaded: read, completed: _completed, since: _since, message: _message, ...rest } = whole
  const waiting = triggers.flatMap(trigger => units.get(trigger) ?? [])
  const reads = await Promise.all(triggers.map(trigger => findTriggerRead(trigger, written, look)))
  const triggersRead = reads.includes(undefined) ? undefined : reads[0]
  const all = judged.pid === undefined ? triggersRead : triggersRead && read
  return {
    ...rest,
    ...(message !== undefined && { message }),
    ...(await judgeTriggers(triggers, look)),
    activation: await readActivation(waiting, unit, look),
    ...(all && { loaded: all }),
  }
}

async function findTriggerRead(
  trigger: string,
  written: ManagedUnits | undefined,
  look: Look,
): Promise<Observed['loaded'] | undefined> {
  const [unit, file] = [look.units.get(trigger), look.disk.find(trigger)]
  return unit && file.kind === 'found' ? findLoadedTrigger(unit, file.path, written, look) : undefined
}

/** If some run and some don't, there is one to start and one to stop, whichever is declared. */
async function judgeTriggers(triggers: readonly string[], { units, bus }: Look): Promise<Judged> {
  const found = triggers.map(name => ({ name, state: states[units.get(name)?.active ?? 'inactive'] ?? 'unknown' }))
  const down = found.filter(({ state }) => state === 'stopped' || state === 'failed')
  if (down.length > 0 && down.length < found.length) {
    return { state: 'stopping', message: `${down.map(({ name }) => name).join(', ')} does not run` }
  }
  const worst = ['unknown', 'failed', 'stopping', 'starting'] as const
  const state = worst.find(one => found.some(({ state }) => state === one)) ?? found[0]?.state ?? 'unknown'
  const loaded = triggers.flatMap(name => units.get(name) ?? [])
  const told = await Promise.all(loaded.map(unit => describeStarter(unit, bus)))
  return { state, ...told.findLast(({ message }) => message !== undefined), ...latestOf(told) }
}

/** From the disk, as systemd does for a reload: querying it for each takes longer. */
function knowsNoReload(unit: string, disk: UnitSearchPath): boolean {
  const text = disk.texts(unit).join('\n')
  if (!unit.endsWith('.service') || text === '' || text.includes('notify-reload')) return false
  return !text.includes('ExecReload') || !readSections(text).Service?.ExecReload?.length
}

type Judged = Pick<Observed, 'state'> & Partial<Observed>

const states: Readonly<Record<string, ServiceState>> = {
  active: 'running',
  reloading: 'running',
  refreshing: 'running',
  activating: 'starting',
  deactivating: 'stopping',
  inactive: 'stopped',
  failed: 'failed',
}

async function judge(unit: LoadedUnit, written: ManagedUnits | undefined, look: Look): Promise<Judged> {
  const { bus } = look
  const { active, sub, path, name } = unit
  const state = lookUp(states, active)
  if (state === undefined) return { state: 'unknown', message: `systemd calls it ${active}` }
  const problem = describeLoad(unit.load)
  const base: Judged = { state, ...(problem !== undefined && { message: problem }) }
  if (!name.endsWith('.service')) return { ...base, ...(await describeStarter(unit, bus)) }
  if (state === 'failed') return { ...base, ...(await readSince(unit, bus)), ...(await describeFailure(unit, bus)) }
  if (state === 'stopped') return { ...base, ...(await readSince(unit, bus)), ...(await describeEnd(unit, bus)) }
  if (sub === 'auto-restart')
    return { ...base, ...(await readSince(unit, bus)), ...(await describeWaiting(unit, look)) }
  const pid = findOnlyProcess(unit, look) ?? (await readNumber(bus, path, 'Service', 'MainPID'))
  const isOver = sub === 'exited' && (await readProperty(bus, path, 'Service', 'Type')) !== 'oneshot'
  const { loaded, isByAge = false } = (await findLoaded(unit, pid, written, look)) ?? {}
  const process = look.host.process(pid)
  const isGone = !isLiving(process)
  const born = process && look.sinceWhen(process)
  const since = born === undefined ? await readSince(unit, bus) : { since: born }
  if (isGone || (!loaded && written)) {
    // It may have ended since the units were listed, and is then not out of date, whatever it had loaded.
    const now = {
      ...unit,
      active: await readText(bus, path, 'ActiveState'),
      sub: await readText(bus, path, 'SubState'),
    }
    if (now.active !== active || now.sub !== sub) return judge(now, written, look)
    if (isGone && pid > 0) return { ...base, state: 'starting', ...since, message: 'it has just ended' }
  }
  const { hasEndedWell, ...restarts }: Restarts =
    state === 'running' && process && !isOver
      ? await look.restarts.running(unit, process, since.since ?? 0, look.asked, look)
      : {}
  const cause = hasEndedWell ? await explainGoodEnd(unit, bus) : undefined
  const isOurs = written !== undefined && written.ownership.isAddition !== true
  const unwatched = isOver && isOurs ? await findUnwatched(unit, bus, look.host) : undefined
  return {
    ...base,
    ...since,
    ...restarts,
    ...(cause !== undefined && { cause }),
    // A completed process whose unit stays.
    ...(isOver && { state: 'stopped', completed: true }),
    ...(unwatched !== undefined && { state: 'starting', completed: false, message: unwatched }),
    ...(pid > 0 && { pid, startedAt: born ?? (await readStart(unit, bus)) }),
    ...(loaded && { loaded }),
    ...(isByAge && { isUnrecorded: true as const }),
  }
}

/**
 * Single process of a running service, which needs no query for the main one. Undefined if there are more, or its control
 * group is hidden or not where systemd puts it by default.
 */
function findOnlyProcess({ name, sub }: LoadedUnit, { host, layout }: Look): number | undefined {
  if (layout.isUser || sub !== 'running') return undefined
  const processes = host.readText(`/sys/fs/cgroup/system.slice/${name}/cgroup.procs`) ?? ''
  // Those of another pid namespace are 0.
  return /^[1-9]\d*\n$/.test(processes) ? Number(processes) : undefined
}

async function readText(bus: Bus, path: string, name: string): Promise<string> {
  return String(await readProperty(bus, path, 'Unit', name))
}

/** Of one that systemd may have forgotten. */
function describeCompletion(unit: string, written: ManagedUnits | undefined, look: Look): Partial<Observed> {
  const loaded = findCompletion({ unit, disk: look.disk, written }, look)
  return loaded ? { completed: true, loaded } : {}
}

async function describeWaiting(unit: LoadedUnit, look: Look): Promise<Partial<Observed>> {
  const { hasEndedWell: _, ...restarts } = await look.restarts.waiting(unit, look)
  const [exit, failure] = await Promise.all([readExit(unit.path, look.bus), readFailure(unit, look.bus)])
  const cause = exit?.code === 0 ? await explainGoodEnd(unit, look.bus) : undefined
  return {
    ...restarts,
    ...(exit && { exit }),
    ...(cause !== undefined && { cause }),
    message: `${failure ?? 'it has ended'}; systemd waits to start it again`,
  }
}

/** Units and drop-ins with a marker in Reeve's directory. */
export function listOwned({ unitDirectory }: Layout, host: ReadHost): OwnedService[] {
  const owned = new Map<string, OwnedService>()
  const note = (service: string, text: string | undefined): void => {
    const ownership = text === undefined ? undefined : readMarker(text)
    if (ownership && !owned.has(service)) owned.set(service, { service, ownership })
  }
  for (const name of host.readDirectory(unitDirectory) ?? []) {
    const path = join(unitDirectory, name)
    if (hasSuffix(name)) {
      // A socket or timer that Reeve wrote belongs to a service.
      const [service = name] = servicesOf(name)
      if (host.facts(path)?.kind === 'file') note(service, host.readText(path))
    } else if (name.endsWith('.d') && hasSuffix(name.slice(0, -'.d'.length))) {
      const service = name.replace(/(?:\.service)?\.d$/, '')
      for (const dropIn of host.readDirectory(path) ?? []) note(service, host.readText(join(path, dropIn)))
    }
  }
  return [...owned.values()].sort((a, b) => (a.service < b.service ? -1 : 1))
}
