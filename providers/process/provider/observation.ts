import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Observed, OwnedService, Ownership } from '../../../src/core/state/observed.ts'
import { isAlive } from '../../../src/host/process-identity.ts'
import type { ServiceDefinition } from '../shared/definition.ts'
import type { ReadDefinition } from '../shared/definition-file.ts'
import { enabledPath, type Layout, ownLogPath, recordPath, serviceOfJson } from '../shared/layout.ts'
import { exitOf, settle } from '../shared/life-cycle.ts'
import { createRecord, hasRun, type Phase, parseRecord, type ServiceRecord } from '../shared/service-record.ts'
import { findProblem, findSupervisor } from '../shared/supervisor-process.ts'
import type { Telling } from '../shared/telling.ts'
import { type KnownRun, type LivingShim, listShims, readRun } from '../supervisor/run-facts.ts'
import { restartPolicyOf } from '../supervisor/run-start.ts'
import { followLiving, knownOf, listServices } from '../supervisor/service-loading.ts'

/**
 * Reads files and /proc, and the supervisor's report if it can't write files. The supervisor isn't queried, and needn't be
 * alive.
 */
export function observeServices(
  services: readonly string[],
  layout: Layout,
  host: ReadHost,
  readDefinition: ReadDefinition,
  { records }: Pick<Telling, 'records'>,
): Map<string, Observed> {
  const problem = findProblem(host, layout)
  if (problem !== undefined) return new Map(services.map(service => [service, createUnknown(service, problem)]))
  const isSupervised = findSupervisor(host, layout).state === 'alive'
  const observed = new Map<string, Observed>()
  let runs: ReadonlyMap<string, readonly number[]> | undefined
  // A live supervisor reports what it could not record.
  const shims = isSupervised ? new Map<string, LivingShim>() : listShims(host, layout)
  for (const service of services) {
    const definition = readDefinition(service)
    let record = records.get(service) ?? parseRecord(host.readText(recordPath(layout, service)))
    if (!record) {
      runs ??= listServices({ host, layout })
      record = recoverRecord(runs.get(service) ?? [], host)
    }
    const living = shims.get(service)
    if (record?.boot === host.bootId()) record = followLiving(record, living, host.now())
    const known = record ? knownOf(record, living) : {}
    observed.set(service, observeService({ service, definition, record, known, isSupervised }, layout, host))
  }
  return observed
}

interface Found {
  readonly service: string
  readonly definition: ServiceDefinition
  readonly record: ServiceRecord | undefined
  readonly known: KnownRun
  readonly isSupervised: boolean
}

function observeService(found: Found, layout: Layout, host: ReadHost): Observed {
  const { service, definition, record, isSupervised } = found
  const enabled = host.facts(enabledPath(layout, service)) !== undefined
  if (definition.kind === 'absent' && !record) {
    return { service, state: 'absent', enabled, supervised: isSupervised }
  }
  // A deleted definition takes its marker along; the record of its start still names the owner.
  const ownership = definition.kind === 'absent' ? record?.reeve : definition.ownership
  const declared = definition.kind === 'valid' ? definition.process.output?.file : undefined
  const output = declared ?? ownLogPath(layout, service)
  const base = { service, enabled, supervised: isSupervised, output, ...(ownership && { ownership }) }
  if (!record) return withProblem({ ...base, state: 'stopped' }, definition)
  return withProblem({ ...base, ...judge(found, record, layout, host) }, definition)
}

type Judged = Pick<Observed, 'state'> & Partial<Observed>

function judge(
  { service, definition, known, isSupervised }: Found,
  record: ServiceRecord,
  layout: Layout,
  host: ReadHost,
): Judged {
  const current = record.boot === host.bootId()
  if (!current) return describe({ ...record, phase: 'down' })
  if (isSupervised && (record.phase !== 'up' || isMainAlive(record, host))) return describe(record)
  if (!hasRun(record)) return describe(record.phase === 'backoff' ? { ...record, phase: 'down' } : record)
  const run = readRun(host, layout, service, record.run, known)
  if (run.state === 'alive') {
    const phase = isSupervised ? record.phase : 'up'
    return describe({ ...record, ...run.main, phase })
  }
  if (run.state === 'between' || isSupervised) {
    return {
      ...describe({ ...record, phase: 'starting' }),
      message: 'its process has ended; the supervisor is about to act',
    }
  }
  // No supervisor has settled the run yet: report what the next one will find.
  const exit = run.state === 'ended' ? exitOf(record.run, run.exit?.status, host.now()) : record.exit
  const settled = settle({ ...record, ...(exit && { exit }) }, restartPolicyOf(definition), host.now(), 0)
  return describe(settled.phase === 'backoff' ? { ...settled, phase: 'down' } : settled)
}

function isMainAlive({ pid, startTime }: ServiceRecord, host: ReadHost): boolean {
  return pid !== undefined && startTime !== undefined && isAlive({ pid, startTime }, host)
}

const states: Readonly<Record<Phase, Observed['state']>> = {
  down: 'stopped',
  starting: 'starting',
  up: 'running',
  stopping: 'stopping',
  backoff: 'starting',
  finished: 'stopped',
  failed: 'failed',
}

/** `loaded` is kept for a service that has ended by itself: it tells whether another run would do the same. */
function describe(record: ServiceRecord): Judged {
  const { phase, since, startedAt, pid, exit, loaded, restarts, total, message, background, run } = record
  return {
    state: states[phase],
    since,
    restarts,
    ...(total !== undefined && { totalRestarts: total }),
    ...(phase === 'finished' && { completed: true }),
    ...(pid !== undefined && (phase === 'up' || phase === 'stopping') && { pid }),
    ...(startedAt !== undefined && phase === 'up' && { startedAt }),
    ...(loaded && phase !== 'down' && { loaded }),
    ...(exit && {
      exit: { ...(exit.code !== undefined && { code: exit.code }), ...(exit.signal && { signal: exit.signal }) },
    }),
    // From the previous run too: a message that alternates would be logged again and again.
    ...(background && background.run >= run - 1 && { cause: background.message }),
    ...(message !== undefined && {
      message: phase === 'backoff' ? `waiting before the next restart: ${message}` : message,
    }),
  }
}

function withProblem(observed: Observed, definition: ServiceDefinition): Observed {
  if (definition.kind !== 'invalid' || observed.message !== undefined) return observed
  return { ...observed, message: `its definition can't be read: ${definition.problem}` }
}

/** A live run without its record is found by its files. */
function recoverRecord(runs: readonly number[], host: ReadHost): ServiceRecord | undefined {
  const run = Math.max(0, ...runs)
  return run === 0 ? undefined : { ...createRecord('up', host.bootId(), host.now()), phase: 'starting', run }
}

function createUnknown(service: string, message: string): Observed {
  return { service, state: 'unknown', enabled: 'unknown', supervised: false, message }
}

/** Services with a marker: in the definition, or if that is deleted, in the record of the start. */
export function listOwned(layout: Layout, host: ReadHost, readDefinition: ReadDefinition): OwnedService[] {
  const services = new Set<string>()
  for (const directory of [layout.definitions, layout.state]) {
    for (const file of host.readDirectory(directory) ?? []) {
      const service = serviceOfJson(file)
      if (service !== undefined) services.add(service)
    }
  }
  const owned: OwnedService[] = []
  for (const service of [...services].sort()) {
    const ownership = findOwnership(service, layout, host, readDefinition)
    if (ownership) owned.push({ service, ownership })
  }
  return owned
}

function findOwnership(
  service: string,
  layout: Layout,
  host: ReadHost,
  readDefinition: ReadDefinition,
): Ownership | undefined {
  const definition = readDefinition(service)
  if (definition.kind !== 'absent') return definition.ownership
  return parseRecord(host.readText(recordPath(layout, service)))?.reeve
}
