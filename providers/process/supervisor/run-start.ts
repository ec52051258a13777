import { randomBytes } from 'node:crypto'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import { markVariable } from '../../posix/background.ts'
import { wrapExecution } from '../../posix/exec-wrapper.ts'
import type { ServiceDefinition } from '../shared/definition.ts'
import { readDefinition } from '../shared/definition-file.ts'
import { settleFailedStart } from '../shared/life-cycle.ts'
import type { ServiceRecord } from '../shared/service-record.ts'
import { prepareLaunch, readLoaded } from './launch.ts'
import { type OutputOpening, prepareOutput } from './output-file.ts'
import { type Context, type Service, setRecord, trySaveRecord } from './service.ts'
import { chainOf, type ShimPlan, saidDescriptor } from './shim-script.ts'
import { openOrDiscard, spawnShim, writeScript } from './shim-start.ts'

type ValidDefinition = ServiceDefinition & { readonly kind: 'valid' }

/**
 * Starts a new run: its script, then its record, then its shim. If a supervisor is killed in between, the next one finds a
 * script without a record (and removes it), or a run without a claim (and claims it itself). If neither can be written, the
 * run is started all the same: the next supervisor then finds its shim in the process table.
 */
export function beginRun(service: Service, context: Context): boolean {
  const { host, layout, log } = context
  const definition = readDefinition(host, layout, service.name)
  service.definition = definition
  service.attempts += 1
  service.attempt = 'under way'
  service.killAt = undefined
  service.isSignalled = false
  const record = createStartRecord(service.record, definition, context)
  try {
    if (definition.kind !== 'valid') throw new ReeveError('failed', describeLack(definition))
    // Read before everything else, so that the loaded files are never newer than recorded.
    const started: ServiceRecord = { ...record, loaded: readLoaded(definition, host) }
    startShim(service, started, definition, context)
    log.info({ service: service.name, run: record.run }, 'starts')
  } catch (error) {
    failStart(service, record, messageOf(error), context)
  }
  return true
}

/** Settles a start whose process does not exist and never will. */
export function failStart(service: Service, record: ServiceRecord, problem: string, context: Context): void {
  const policy = restartPolicyOf(service.definition)
  service.attempt = 'failed'
  service.finished.push(record.run)
  setRecord(service, settleFailedStart(record, policy, problem, context.host.now(), context.random()))
  context.log.error({ service: service.name, run: record.run }, `could not be started: ${problem}`)
}

export function restartPolicyOf(definition: ServiceDefinition): {
  policy: 'always' | 'on-failure' | 'never'
  delay: number
} {
  return definition.kind === 'valid' ? definition.process.restart : { policy: 'always', delay: 1_000 }
}

function createStartRecord(before: ServiceRecord, definition: ServiceDefinition, { host }: Context): ServiceRecord {
  const now = host.now()
  const { want, restarts, total, boot, exit, loaded, reeve, stop, background } = before
  const ownership = definition.kind === 'valid' ? definition.ownership : reeve
  const stopping = definition.kind === 'valid' ? definition.process.stop : stop
  return {
    want,
    phase: 'starting',
    since: now,
    boot,
    run: before.run + 1,
    startedAt: now,
    restarts,
    ...(total !== undefined && { total }),
    ...(exit && { exit }),
    ...(loaded && { loaded }),
    ...(ownership && { reeve: ownership }),
    ...(stopping && { stop: stopping }),
    mark: randomBytes(16).toString('hex'),
    ...(background && { background }),
  }
}

function startShim(service: Service, record: ServiceRecord, definition: ValidDefinition, context: Context): void {
  const { host, tools } = context
  const { process } = definition
  const { identity, environment, workingDirectory, wrapper } = prepareLaunch(process, host, tools, context.node)
  const prepare = (): OutputOpening => prepareOutput(service.name, process, identity, context)
  const output = openOrDiscard(service, context, prepare, (): OutputOpening => ({ by: 'nobody' }))
  const words = wrapExecution({
    ...wrapper,
    problems: saidDescriptor,
    ...(output.by === 'user' && { output: output.file }),
  })
  const chain = chainOf(process, identity, words, tools)
  const plan: ShimPlan = {
    service: service.name,
    run: record.run,
    bootId: record.boot,
    umask: process.umask ?? 0o022,
    workingDirectory,
    chain,
    opensOutput: output.by === 'user',
  }
  const isWritten = writeScript(plan, context)
  setRecord(service, record)
  trySaveRecord(service, context)
  service.chain = chain
  const marked = { ...(record.mark !== undefined && { [markVariable]: record.mark }), ...environment }
  spawnShim(service, { plan, isWritten, environment: marked, output }, context)
}

function describeLack(definition: ServiceDefinition): string {
  return definition.kind === 'invalid'
    ? `its definition can't be read: ${definition.problem}`
    : 'its definition is gone; install it again'
}
