import { ReeveError } from '../../../src/core/reeve-error.ts'
import { readDefinition } from '../shared/definition-file.ts'
import type { RequestedAction } from '../shared/request.ts'
import { hasRun } from '../shared/service-record.ts'
import { reloadProcess } from './reload.ts'
import { removeServiceFiles } from './removal.ts'
import { type Service, setRecord } from './service.ts'
import type { Supervision, Verdict } from './supervision.ts'

/** Time in ms after KILL from which a remaining process is an error. It is waiting for a device then. */
const killPatience = 10_000

/** Executes one action; resolves when it is done. Every action is idempotent. Throws ReeveError. */
export async function handleAction(action: RequestedAction, supervision: Supervision): Promise<void> {
  const service = supervision.find(action.service)
  switch (action.verb) {
    case 'start':
      return start(expectService(service, action), action.after, supervision)
    case 'restart':
      return restart(expectService(service, action), action.after, supervision)
    case 'stop':
      return service && stop(service, supervision)
    case 'reload':
      return service && reload(service, supervision)
    case 'remove':
      return remove(service, action.service, supervision)
  }
}

function expectService(service: Service | undefined, action: RequestedAction): Service {
  if (service) return service
  throw new ReeveError('not-found', `no service ${action.service} is installed; install it before a ${action.verb}`)
}

async function start(service: Service, after: number | undefined, supervision: Supervision): Promise<void> {
  const { context } = supervision
  const { nextStart: _nextStart, ...record } = service.record
  // A start that is already under way is the one that counts.
  const attempts = hasRun(record) && !record.asked ? service.attempts - 1 : service.attempts
  const isAtRest = record.phase === 'backoff' || record.phase === 'finished' || record.phase === 'failed'
  if (isAtRest && after !== undefined && record.run > after) return judgeEarlierStart(service)
  // A manual start skips the backoff, and an ended service begins anew.
  if (isAtRest) {
    const since = context.host.now()
    setRecord(service, { ...record, want: 'up', phase: 'down', since, restarts: 0, total: 0 })
  }
  if (!isAtRest && record.want !== 'up') setRecord(service, { ...service.record, want: 'up' })
  await supervision.reach(service, () => judgeStart(service, attempts))
}

/** The run was started for this request, by a supervisor that was killed before it could answer; and has ended. */
function judgeEarlierStart({ record }: Service): void {
  if (record.exit?.run === record.run) return
  throw new ReeveError('failed', record.message ?? 'it could not be started')
}

function judgeStart(service: Service, attemptsBefore: number): Verdict {
  const { record } = service
  if (record.want === 'down')
    return new ReeveError('aborted', `${service.name} was stopped again before it had started`)
  if (record.phase === 'up' && !record.asked) return 'reached'
  if (service.attempts === attemptsBefore || service.attempt === 'under way') return undefined
  if (service.attempt === 'failed') return new ReeveError('failed', record.message ?? 'it could not be started')
  // It ran and has ended already: what follows is up to its restart policy.
  return record.phase === 'starting' || record.phase === 'stopping' ? undefined : 'reached'
}

async function restart(service: Service, after: number | undefined, supervision: Supervision): Promise<void> {
  const { record } = service
  if (hasRun(record) && record.run <= (after ?? record.run)) {
    setRecord(service, { ...record, want: 'up', asked: true })
  }
  await start(service, after, supervision)
}

async function stop(service: Service, supervision: Supervision): Promise<void> {
  const { record } = service
  const asked = hasRun(record) ? { asked: true } : {}
  if (record.want !== 'down') setRecord(service, { ...record, want: 'down', ...asked })
  await supervision.reach(service, () => judgeStop(service, supervision))
}

function judgeStop(service: Service, { context }: Supervision): Verdict {
  const { record } = service
  if (record.want === 'up') return new ReeveError('aborted', `${service.name} was started again before it had stopped`)
  if (record.phase === 'down') return 'reached'
  if (service.killAt === undefined || context.clock.elapsed() < service.killAt + killPatience) return undefined
  return new ReeveError(
    'failed',
    `${service.name} does not end even after KILL; see what its process waits for (ps, wchan)`,
  )
}

async function reload(service: Service, supervision: Supervision): Promise<void> {
  const { context } = supervision
  if (!hasRun(service.record)) return
  const definition = readDefinition(context.host, context.layout, service.name)
  service.definition = definition
  if (definition.kind !== 'valid') throw new ReeveError('failed', `the definition of ${service.name} can't be read`)
  if (!definition.process.reload) return restart(service, undefined, supervision)
  await supervision.reach(service, () => (service.record.phase === 'starting' ? undefined : 'reached'))
  if (service.record.phase === 'up') await reloadProcess(service, definition, context)
}

async function remove(service: Service | undefined, name: string, supervision: Supervision): Promise<void> {
  if (service) {
    await stop(service, supervision)
    supervision.forget(service)
  }
  removeServiceFiles(name, supervision.context)
}
