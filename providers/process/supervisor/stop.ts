import type { RunFacts } from './run-facts.ts'
import { type Context, lookAgain, type Service, setRecord, trySaveRecord, wakeIn } from './service.ts'

/** Records that the end of this run was requested. */
export function beginStop(service: Service, context: Context): boolean {
  const { record } = service
  const { host, log } = context
  service.killAt = undefined
  service.isSignalled = false
  setRecord(service, { ...record, phase: 'stopping', since: host.now(), asked: true })
  log.info({ service: service.name, run: record.run }, 'is being stopped')
  return true
}

/** Stops a live process: the stop signal once, KILL after the timeout, both to its whole group. */
export function pursueStop(service: Service, facts: RunFacts & { readonly state: 'alive' }, context: Context): boolean {
  const { host, log, clock } = context
  const { pid } = facts.main
  const now = clock.elapsed()
  // A shorter timeout that is declared meanwhile counts.
  service.killAt = Math.min(service.killAt ?? Number.POSITIVE_INFINITY, now + stopTimeoutOf(service))
  // Before the signal: if the supervisor is killed after it, the next one must not take the end for a failure.
  trySaveRecord(service, context)
  // Until it has a session of its own, its group is the shim's.
  const isLeader = host.process(pid)?.group === pid
  if (now >= service.killAt) {
    if (service.looks === 0) log.warn({ service: service.name, pid }, 'did not end in time, and gets KILL')
    host.kill(isLeader ? -pid : pid, 'KILL')
    lookAgain(service, 1_000, context)
    return false
  }
  if (!isLeader) {
    lookAgain(service, 50, context)
    return false
  }
  if (!service.isSignalled) signalGroup(service, pid, context)
  service.looks = 0
  wakeIn(service, Math.min(service.killAt - now, facts.guarded ? Number.POSITIVE_INFINITY : 200), context)
  return false
}

/** CONT, so that a process suspended by SIGSTOP can react. */
export function signalGroup(service: Service, pid: number, { host }: Context): void {
  service.isSignalled = true
  host.kill(-pid, stopSignalOf(service))
  host.kill(-pid, 'CONT')
}

/** Stop timeout in ms, as declared now; if the definition is gone, as declared at the start. */
export function stopTimeoutOf({ definition, record }: Service): number {
  return (definition.kind === 'valid' ? definition.process.stop : record.stop)?.timeout ?? 10_000
}

function stopSignalOf({ definition, record }: Service): string {
  return (definition.kind === 'valid' ? definition.process.stop : record.stop)?.signal ?? 'TERM'
}
