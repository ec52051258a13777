import { together } from '../../../src/authoring/action-report.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { busErrorName } from '../../../src/host/bus-error.ts'
import { findUnits, isUp, type LoadedUnit, lost, managerCall, readProperty, readTexts } from '../bus/manager.ts'
import { findStarted } from '../observe/activation-unit.ts'
import { forgetCompletion, isForgotten, noteCompletion, readInputs } from '../observe/completion.ts'
import { findVainExit } from '../observe/exec-wrapper-exit.ts'
import { createFailureOf, describeJobFailure } from '../observe/failure-report.ts'
import { findManagedUnits } from '../observe/managed-units.ts'
import { triggersOf } from '../units/activation-trigger.ts'
import { definitionVariable, readMarker } from '../units/marker.ts'
import { findReloadSignal } from '../units/reload-signal.ts'
import { refuseRootPaths } from '../units/root-paths.ts'
import { unitOf } from '../units/unit-name.ts'
import type { JobContext } from './batch.ts'
import type { JobOutcome } from './jobs.ts'
import { recordRun } from './run-record.ts'

/** A unit without a reload is restarted if it runs: the plan says so where that is known beforehand. */
const methods = {
  start: 'StartUnit',
  stop: 'StopUnit',
  restart: 'RestartUnit',
  reload: 'ReloadOrTryRestartUnit',
} as const

type JobVerb = keyof typeof methods

/** Starts, stops, restarts and reloads, side by side. */
export async function runJobs(actions: readonly Action[], context: JobContext): Promise<void> {
  if (actions.length === 0) return
  const stale = await Promise.all(actions.map(action => isStale(action, context)))
  if (stale.includes(true)) await context.reload()
  await Promise.all(actions.map(action => together([action], context.report, () => runJob(action, context))))
}

/**
 * True if systemd would run another definition than the one on the disk: a crash came between writing and reloading, or
 * somebody else has written a file.
 */
async function isStale({ service, verb }: Action, { bus, disk, units, layout, host }: JobContext): Promise<boolean> {
  const unit = unitOf(service)
  const loaded = units.get(unit)
  if (verb === 'stop' || !loaded) return false
  const written = findManagedUnits(unit, disk.find(unit), layout, host)
  // systemd notices what the digest leaves out, as a record of a reload; and misses what the digest includes.
  const isNoticed = (await readProperty(bus, loaded.path, 'Unit', 'NeedDaemonReload')) === true
  if (isNoticed || (await lacksDropIn(disk.dropIns(unit), loaded, { bus, host }))) return true
  if (written?.definition === undefined) return false
  if (!unit.endsWith('.service')) return true // no answer
  const environment = await readTexts(bus, loaded.path, 'Service', 'Environment')
  return !environment.includes(`${definitionVariable}=${written.definition}`)
}

/** systemd doesn't notice a drop-in in a directory that was added after its last daemon-reload. A masked drop-in is none. */
async function lacksDropIn(
  dropIns: readonly string[],
  { path }: LoadedUnit,
  { bus, host }: Pick<JobContext, 'bus' | 'host'>,
): Promise<boolean> {
  const there = dropIns.filter(dropIn => host.realPath(dropIn) !== '/dev/null')
  if (there.length === 0) return false
  const known = new Set(await readTexts(bus, path, 'Unit', 'DropInPaths'))
  return there.some(dropIn => !known.has(dropIn))
}

async function runJob(action: Action, context: JobContext): Promise<void> {
  const { verb, service, signal } = action
  if (!isJobVerb(verb)) return
  const { bus, disk, units } = context
  const unit = unitOf(service)
  const triggers = triggersOf(service, disk.find(unit), disk)
  if (action.startsJob) return startJob(triggers.length > 0 ? triggers : [unit], unit, signal, context)
  if (verb === 'stop') return stopUnits([...triggers, unit], signal, context)
  if (units.has(unit)) await bus.call(managerCall('ResetFailedUnit', 's', unit)).catch(passOverUnloaded)
  if (verb === 'reload') return recordRun('reload', unit, context, () => reload(unit, signal, context))
  const texts = [unit, ...triggers].flatMap(name => disk.texts(name))
  refuseRootPaths(
    texts.filter(text => readMarker(text) !== undefined),
    context.host,
  )
  if (triggers.length === 0) return start(methodFor(verb, unit, context), unit, signal, context)
  if (verb === 'restart') await stopUnits([...triggers, unit], signal, context)
  // systemd refuses to listen for a service that already runs.
  else if (triggers.some(name => name.endsWith('.socket') && !isUp(units.get(name))) && isUp(units.get(unit))) {
    await stopUnits([unit], signal, context)
  }
  for (const trigger of triggers) await begin(methods.start, trigger, signal, context)
}

/** Services that timers, sockets and paths would start, and that are left alone. `own`: if none of them is loaded. */
async function startJob(
  starters: readonly string[],
  own: string,
  signal: AbortSignal,
  context: JobContext,
): Promise<void> {
  const { bus, host, disk } = context
  const loaded = await findUnits(bus, starters)
  const started = await findStarted(
    starters.flatMap(name => loaded.get(name) ?? []),
    bus,
  )
  const names = started.length > 0 ? started : [own]
  const units = await findUnits(bus, names)
  for (const name of names) {
    const texts = disk.texts(name).filter(text => readMarker(text) !== undefined)
    refuseRootPaths(texts, host)
    if (units.has(name)) await bus.call(managerCall('ResetFailedUnit', 's', name)).catch(passOverUnloaded)
    await begin(methodFor('start', name, { units }), name, signal, context)
    await expectProgram(name, signal, context)
  }
}

async function start(method: string, unit: string, signal: AbortSignal, context: JobContext): Promise<void> {
  const { disk, layout, host } = context
  const job = { unit, disk, written: findManagedUnits(unit, disk.find(unit), layout, host) }
  if (!isForgotten(job)) {
    return recordRun('start', unit, context, async () => {
      await begin(method, unit, signal, context)
      await expectProgram(unit, signal, context)
    })
  }
  const inputs = readInputs(job, host)
  forgetCompletion(unit, host, layout)
  await begin(method, unit, signal, context)
  noteCompletion(unit, inputs, host, layout)
}

/** If conditions aren't met, systemd starts nothing, and reports success. */
async function begin(method: string, unit: string, signal: AbortSignal, context: JobContext): Promise<void> {
  const conditions = findConditions(unit, context)
  const { isUnmet } = await follow(method, unit, signal, context, conditions.length > 0)
  if (!isUnmet) return
  const message = `systemd has not started it, as it does where conditions are not met: ${conditions.join(', ')}`
  throw new ReeveError('failed', message)
}

async function expectProgram(unit: string, signal: AbortSignal, context: JobContext): Promise<void> {
  const file = context.disk.find(unit)
  if (file.kind !== 'found' || !file.ownership) return
  const code = await findVainExit(unit, file.text, signal, context)
  if (code === undefined) return
  const message = `it ended at once with exit code ${code}, as where there is no program to run, or its variables or output can't be had`
  throw await createFailureOf(unit, message, context)
}

function findConditions(unit: string, { disk }: JobContext): string[] {
  const pattern = /^[^\S\n]*(?:Exec)?Condition\w*[^\S\n]*=.*\S/gm
  return disk.texts(unit).flatMap(text => [...text.matchAll(pattern)].map(([condition]) => condition.trim()))
}

/**
 * A unit that has ended for good is still active for systemd, which would start nothing. The start of a unit that waits to
 * be restarted would wait as well.
 */
function methodFor(verb: 'start' | 'restart', unit: string, { units }: Pick<JobContext, 'units'>): string {
  const found = units.get(unit)
  if (found?.sub === 'auto-restart') return 'RestartUnit'
  return found?.active === 'active' && found.sub === 'exited' ? 'RestartUnit' : methods[verb]
}

/** One after the other: a socket would start its service again. */
export async function stopUnits(names: readonly string[], signal: AbortSignal, context: JobContext): Promise<void> {
  for (const unit of names) {
    try {
      await follow(methods.stop, unit, signal, context)
    } catch (error) {
      passOverUnloaded(error)
    }
    // A stop that timed out leaves a failure; but the unit has stopped, as requested.
    await context.bus.call(managerCall('ResetFailedUnit', 's', unit)).catch(passOverUnloaded)
  }
}

/** systemd itself sends the signal: the service may be sandboxed, and a command of Reeve with it. */
async function reload(unit: string, signal: AbortSignal, context: JobContext): Promise<void> {
  const { bus, disk, units } = context
  const number = findReloadSignal(unit, disk)
  if (number !== undefined && units.get(unit)?.sub === 'running') {
    try {
      await bus.call(managerCall('KillUnit', 'ssi', unit, 'main', number))
      return
    } catch {
      // Its process has just ended: systemd decides what a reload does then.
    }
  }
  await begin(methods.reload, unit, signal, context)
}

function isJobVerb(verb: Action['verb']): verb is JobVerb {
  return verb in methods
}

async function follow(
  method: string,
  unit: string,
  signal: AbortSignal,
  context: JobContext,
  isConditional = false,
): Promise<JobOutcome> {
  const { disk, jobs } = context
  const file = disk.find(unit)
  // systemd reports an alias by the name of its unit.
  const conditional = isConditional ? [file.kind === 'found' ? file.unit : unit] : []
  const outcome = await jobs.run(managerCall(method, 'ss', unit, 'replace'), signal, ...conditional)
  const { result } = outcome
  if (result === 'done' || result === 'skipped') return outcome
  // A stop that timed out is "failed" or "timeout", and has stopped the unit.
  if (method === methods.stop && (await hasStopped(unit, context))) return outcome
  if (result === lost && (await hasSucceeded(method, unit, isConditional, context))) return outcome
  throw await createFailureOf(unit, await describeJobFailure(unit, result, context.bus), context)
}

/** Result of a start, a restart or a reload whose end systemd couldn't report. */
async function hasSucceeded(
  method: string,
  unit: string,
  isConditional: boolean,
  { bus, disk }: JobContext,
): Promise<boolean> {
  const found = (await findUnits(bus, [unit])).get(unit)
  // It has ended by itself, unless it was not started, or is forgotten and may have failed.
  if (!found || found.active === 'inactive') return !isConditional && !isForgotten({ unit, disk })
  if (found.active !== 'active') return false
  if (method !== methods.reload || !unit.endsWith('.service')) return true
  return (await readProperty(bus, found.path, 'Service', 'ReloadResult')) === 'success'
}

async function hasStopped(unit: string, { bus, units }: JobContext): Promise<boolean> {
  const found = units.get(unit)
  if (!found) return true
  const state = await readProperty(bus, found.path, 'Unit', 'ActiveState')
  return state === 'failed' || state === 'inactive'
}

/** A unit that isn't loaded has no failure to reset, and nothing to stop. */
function passOverUnloaded(error: unknown): void {
  if (busErrorName(error) !== 'org.freedesktop.systemd1.NoSuchUnit') throw error
}
