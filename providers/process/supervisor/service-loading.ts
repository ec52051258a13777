import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { readDefinition } from '../shared/definition-file.ts'
import { enabledPath, type Layout, recordPath, runOfFile, runPath, serviceOfJson } from '../shared/layout.ts'
import { createRecord, hasRun, parseRecord, type ServiceRecord } from '../shared/service-record.ts'
import { type KnownRun, type LivingShim, readRun } from './run-facts.ts'
import { removeRunFiles } from './run-files.ts'
import { type Context, createService, type Service, trySaveRecord } from './service.ts'

/** Services with a definition, a record or a run, by name, with the numbers of their runs. */
export function listServices({
  host,
  layout,
}: {
  readonly host: ReadHost
  readonly layout: Layout
}): Map<string, number[]> {
  const services = new Map<string, number[]>()
  for (const directory of [layout.definitions, layout.state]) {
    for (const file of host.readDirectory(directory) ?? []) {
      const service = serviceOfJson(file)
      if (service !== undefined) services.set(service, [])
    }
  }
  for (const file of host.readDirectory(layout.runs) ?? []) {
    const found = runOfFile(file)
    if (!found) continue
    const runs = services.get(found.service) ?? []
    if (!runs.includes(found.run)) runs.push(found.run)
    services.set(found.service, runs)
  }
  return services
}

/**
 * Takes a service over from the previous supervisor, or from the previous boot. Undefined if only dead files of it exist,
 * which are removed. `runs`: those with files; `living`: the newest with a process.
 */
export function adoptService(
  name: string,
  runs: readonly number[],
  living: LivingShim | undefined,
  context: Context,
): Service | undefined {
  const { host, layout, log } = context
  const definition = readDefinition(host, layout, name)
  const saved = parseRecord(host.readText(recordPath(layout, name)))
  const found = saved ? continueRecord(saved, name, context) : recoverRecord(name, runs, context)
  const record = followLiving(found, living, host.now())
  for (const run of runs) {
    if (run !== record.run || !hasRun(record)) removeRunFiles(name, run, context)
  }
  if (definition.kind === 'absent' && !saved && !hasRun(record)) return undefined
  const service = createService(name, record, definition)
  service.isSaved = record === saved
  service.known = knownOf(record, living)
  if (record.phase === 'starting') service.attempt = 'under way'
  if (hasRun(record)) log.info({ service: name, run: record.run }, `is taken over, ${record.phase}`)
  return service
}

/** The previous supervisor couldn't record a further run: the process table counts. */
export function followLiving(record: ServiceRecord, living: LivingShim | undefined, now: number): ServiceRecord {
  if (!living || living.run <= record.run) return record
  const { pid: _pid, startTime: _startTime, asked: _asked, nextStart: _nextStart, message: _message, ...rest } = record
  return { ...rest, want: 'up', phase: 'starting', since: now, startedAt: now, run: living.run }
}

export function knownOf({ run }: ServiceRecord, living: LivingShim | undefined): KnownRun {
  return living?.run === run ? { shim: living.shim } : {}
}

/** A service that was installed while the supervisor runs isn't started because of that. */
export function admitService(name: string, context: Context): Service | undefined {
  const { host, layout } = context
  const definition = readDefinition(host, layout, name)
  if (definition.kind === 'absent') return undefined
  const service = createService(name, createRecord('down', host.bootId(), host.now()), definition)
  trySaveRecord(service, context)
  return service
}

/** The requests of another boot are void: enabled services start. */
function continueRecord(saved: ServiceRecord, name: string, { host, layout }: Context): ServiceRecord {
  const boot = host.bootId()
  if (saved.boot === boot) return saved
  const want = host.facts(enabledPath(layout, name)) ? 'up' : 'down'
  const { run, exit, reeve, stop } = saved
  return {
    ...createRecord(want, boot, host.now()),
    run,
    ...(exit && { exit }),
    ...(reeve && { reeve }),
    ...(stop && { stop }),
  }
}

/** The record is lost. A live run of this boot proves that the service should run; else `enabled` decides. */
function recoverRecord(name: string, runs: readonly number[], { host, layout }: Context): ServiceRecord {
  const boot = host.bootId()
  const now = host.now()
  const run = Math.max(0, ...runs)
  const script = run === 0 ? undefined : host.readText(runPath(layout, name, run, 'sh'))
  if (script?.includes(`\n# boot ${boot}\n`)) {
    const { state } = readRun(host, layout, name, run)
    if (state === 'alive' || state === 'between') {
      return { ...createRecord('up', boot, now), phase: 'starting', run, startedAt: now }
    }
  }
  return { ...createRecord(host.facts(enabledPath(layout, name)) ? 'up' : 'down', boot, now), run }
}
