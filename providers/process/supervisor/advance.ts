import { isWrapped } from '../../posix/exec-wrapper.ts'
import { runPath } from '../shared/layout.ts'
import { goodRun } from '../shared/life-cycle.ts'
import { claimRun } from './run-claim.ts'
import { concludeRun } from './run-end.ts'
import { type RunFacts, readCommandLine, readRun, readTicks, scriptOf } from './run-facts.ts'
import { removeRunFiles } from './run-files.ts'
import { beginRun } from './run-start.ts'
import { type Context, lookAgain, type Service, setRecord, trySaveRecord, wakeIn } from './service.ts'
import { isPreparing } from './shim-script.ts'
import { beginStop, pursueStop } from './stop.ts'

/** Largest number of phases in one round: more would be an endless loop. */
const mostSteps = 12

/**
 * Time in ms after which a process counts as the service's program even if it looks like one of the tools that prepare it.
 */
const preparationTime = 2_000

/** Interval in ms at which a service without its shim is checked, as nothing records its end. */
const unguardedInterval = 1_000

/** Advances a service by the table in life-cycle.ts. May be called at any time and any number of times. */
export function advance(service: Service, context: Context): void {
  service.timer?.[Symbol.dispose]()
  service.timer = undefined
  let count = 0
  while (count < mostSteps && step(service, context)) count += 1
  if (count === mostSteps) wakeIn(service, 100, context)
  trySaveRecord(service, context)
  if (service.isSaved) for (const run of service.finished.splice(0)) removeRunFiles(service.name, run, context)
}

/** True if the service has changed its phase, and may change it again. */
function step(service: Service, context: Context): boolean {
  const { record } = service
  switch (record.phase) {
    case 'down':
      return record.want === 'up' && beginRun(service, context)
    case 'backoff':
      return record.want === 'down' ? settleDown(service, context) : waitOrBegin(service, context)
    case 'finished':
    case 'failed':
      return record.want === 'down' && settleDown(service, context)
    case 'starting':
    case 'up':
    case 'stopping':
      return followRun(service, context)
  }
}

function settleDown(service: Service, context: Context): boolean {
  const { nextStart: _nextStart, ...record } = service.record
  setRecord(service, { ...record, phase: 'down', since: context.host.now(), restarts: 0, total: 0 })
  return true
}

function waitOrBegin(service: Service, context: Context): boolean {
  const { nextStart = 0, startedAt = 0 } = service.record
  const now = context.host.now()
  // A clock that was set back must not delay it for hours.
  if (now >= nextStart || now < startedAt) return beginRun(service, context)
  wakeIn(service, nextStart - now, context)
  return false
}

function followRun(service: Service, context: Context): boolean {
  const { host, layout } = context
  const facts = readRun(host, layout, service.name, service.record.run, service.known)
  switch (facts.state) {
    case 'ended':
      return concludeRun(service, facts, context)
    case 'unclaimed':
      return followUnclaimed(service, context)
    case 'between':
      lookAgain(service, 500, context)
      return false
    case 'alive':
      service.seenAlive = readTicks(host)
      service.known = { ...service.known, main: facts.main }
      return followProcess(service, facts, context)
  }
}

/** The shim is being started; or it never will be, if the supervisor that was to start it was killed. */
function followUnclaimed(service: Service, context: Context): boolean {
  const { run } = service.record
  if (service.spawned !== run) {
    claimRun(service, context)
    return false
  }
  if (service.shimEnded === run)
    return concludeRun(service, { state: 'ended', main: undefined, exit: undefined }, context)
  wakeIn(service, 1_000, context)
  return false
}

function followProcess(service: Service, facts: RunFacts & { readonly state: 'alive' }, context: Context): boolean {
  const { record } = service
  if (record.phase === 'stopping') return pursueStop(service, facts, context)
  if (record.asked || record.want === 'down') return beginStop(service, context)
  if (record.phase === 'starting') return becomeUp(service, facts, context)
  const runningFor = context.host.now() - (record.startedAt ?? 0)
  if (record.restarts > 0 && runningFor >= goodRun) setRecord(service, { ...record, restarts: 0 })
  if (service.record.restarts > 0) wakeIn(service, goodRun - runningFor, context)
  if (!facts.guarded) wakeIn(service, unguardedInterval, context)
  return false
}

function becomeUp(service: Service, facts: RunFacts & { readonly state: 'alive' }, context: Context): boolean {
  const { host, log } = context
  const { record } = service
  if (!isExecuted(service, facts.main.pid, context)) {
    lookAgain(service, 50, context)
    return false
  }
  service.attempt = 'executed'
  setRecord(service, { ...record, phase: 'up', since: host.now(), ...facts.main })
  log.info({ service: service.name, run: record.run, pid: facts.main.pid }, 'runs')
  return true
}

/** True if the process is the service's program by now, and not the shell or a tool before it. */
function isExecuted({ name, record, definition, chain }: Service, pid: number, context: Context): boolean {
  const { host, layout, tools } = context
  const commandLine = readCommandLine(host, pid)
  if (scriptOf(commandLine) === runPath(layout, name, record.run, 'sh')) return false
  // It may read much, or from a slow disk, and no service's command line looks like the whole rest of its own chain.
  if (chain && commandLine && isWrapped(commandLine) && isPreparing(commandLine, chain, [], tools)) return false
  if (host.now() - (record.startedAt ?? 0) >= preparationTime) return true
  // A process that is just exiting has none, which tells nothing of what it was.
  if (!commandLine || commandLine.join('') === '') return false
  const command = definition.kind === 'valid' ? definition.process.command : []
  if (isPreparing(commandLine, chain, command, tools)) return false
  // It is read in parts: during an execution, half of the line may be that of the former program.
  return readCommandLine(host, pid)?.join('\0') === commandLine.join('\0')
}
