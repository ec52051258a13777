import { messageOf } from '../../../src/core/reeve-error.ts'
import { explainComplaint } from '../../../src/host/failure.ts'
import { wrapperFailure } from '../../posix/exec-wrapper.ts'
import { runPath } from '../shared/layout.ts'
import { describeExit, exitOf, settle } from '../shared/life-cycle.ts'
import { findLeftMembers } from './process-group.ts'
import { type RunFacts, readTicks } from './run-facts.ts'
import { failStart, restartPolicyOf } from './run-start.ts'
import { type Context, lookAgain, type Service, setRecord, trySaveRecord } from './service.ts'
import { signalGroup, stopTimeoutOf } from './stop.ts'
import { findStrays } from './stray-processes.ts'

/** In bytes. */
const saidLimit = 16 * 1024

type Ended = RunFacts & { readonly state: 'ended' }

/** Exit statuses by which the shim, or a tool after it, reports that there was nothing to execute. */
const notExecuted: readonly (number | undefined)[] = [126, 127]

/** Handles the end of a run's process: records how it ended, removes its leftovers, and settles the service. */
export function concludeRun(service: Service, found: Ended, context: Context): boolean {
  if (!found.exit && isShimAwaited(service)) return false
  const facts = withShimStatus(service, found, context)
  if (!facts.main && !facts.exit) return concludeUnstarted(service, context)
  rememberExit(service, facts, context)
  if (!clearGroup(service, facts, context)) return false
  const { record } = service
  const { host, log } = context
  const said = readSaid(service, context)
  const status = facts.exit?.status
  const isUnexecuted = notExecuted.includes(status) || (status === wrapperFailure && said !== undefined)
  if (service.attempt === 'under way' && isUnexecuted && !record.asked && record.want === 'up') {
    failStart(service, record, said ?? describeUnexecuted(service, context), context)
    return true
  }
  if (service.attempt === 'under way') service.attempt = 'executed'
  setRecord(service, settle(record, restartPolicyOf(service.definition), host.now(), context.random()))
  service.finished.push(record.run)
  const { phase } = service.record
  log.info({ service: service.name, run: record.run }, `ended with ${describeExit(record.exit)}; now ${phase}`)
  return true
}

/** The shim is a child whose end has not been reported yet; it will be. */
function isShimAwaited({ record: { run }, spawned, shimEnded }: Service): boolean {
  return spawned === run && shimEnded < run
}

/** If the shim couldn't record the exit, as on a full disk, its own exit status shows it. */
function withShimStatus(
  { record: { run }, shimEnded, shimStatus, known }: Service,
  facts: Ended,
  { host }: Context,
): Ended {
  if (facts.exit || shimEnded !== run || shimStatus === undefined || !known.shim) return facts
  return { ...facts, exit: { status: shimStatus, ticks: readTicks(host) + 1, left: true } }
}

/**
 * Nothing ever ran. With our own shim that is a failure (a full disk, say); otherwise it is the leftover of a killed
 * supervisor, and does not count against the service.
 */
function concludeUnstarted(service: Service, context: Context): boolean {
  const { record } = service
  if (service.spawned === record.run && !record.asked) {
    failStart(service, record, 'its shim ended before it had started it; see that the disk is not full', context)
    return true
  }
  const settled = settle({ ...record, asked: true }, restartPolicyOf(service.definition), context.host.now(), 0)
  setRecord(service, settled)
  service.finished.push(record.run)
  return true
}

function rememberExit(service: Service, facts: Ended, context: Context): void {
  const { record } = service
  if (record.exit?.run === record.run) return
  const exit = exitOf(record.run, facts.exit?.status, context.host.now())
  setRecord(service, { ...record, exit })
}

/**
 * True if no member of its process group is left, and no process that it put in the background. After a stop they have had
 * the stop signal and the rest of the timeout; after an end of its own they are leftovers, and get KILL at once, so that the
 * next run starts alone.
 */
function clearGroup(service: Service, { main, exit }: Ended, context: Context): boolean {
  const { host, clock } = context
  const members = main && exit?.left !== false ? findLeftMembers(host, main, exit?.ticks ?? service.seenAlive) : []
  const { pids: strays, isCertain } = findStrays(service, context)
  if (members.length === 0 && strays.length === 0 && isCertain) return true
  const { record } = service
  const isAsked = record.asked === true || record.want === 'down'
  if (record.phase !== 'stopping') setRecord(service, { ...record, phase: 'stopping', since: host.now() })
  service.killAt ??= clock.elapsed() + (isAsked ? stopTimeoutOf(service) : 0)
  // The next supervisor has to know whether the end was requested.
  trySaveRecord(service, context)
  for (const pid of strays) host.kill(pid, 'KILL')
  // A member that is just executing a program may be a daemon that has yet to leave its session.
  if (main && members.length > 0 && isCertain) {
    if (!isAsked || clock.elapsed() >= service.killAt) host.kill(-main.pid, 'KILL')
    else if (!service.isSignalled) signalGroup(service, main.pid, context)
  }
  lookAgain(service, 200, context)
  return false
}

/**
 * Reason reported by the preparing tools why the service can't be executed. Read with that user's rights: it may be
 * anything.
 */
function readSaid({ name, record }: Service, { host, layout, log }: Context): string | undefined {
  try {
    const [line = ''] = host.readText(runPath(layout, name, record.run, 'said'), saidLimit)?.split('\n') ?? []
    const text = line.replace(/[\p{Cc}\p{Cf}]/gu, ' ').trim()
    return text === '' ? undefined : explainComplaint(text)
  } catch (error) {
    log.warn({ service: name }, messageOf(error))
    return undefined
  }
}

function describeUnexecuted(service: Service, { host }: Context): string {
  const process = service.definition.kind === 'valid' ? service.definition.process : undefined
  const [program = ''] = process?.command ?? []
  const directory = process?.workingDirectory
  if (directory !== undefined && host.facts(directory) === undefined) return `there is no directory ${directory}`
  if (program.startsWith('/') && host.facts(program) === undefined) return `there is no program ${program}`
  return `${program} can't be executed; its output says why`
}
