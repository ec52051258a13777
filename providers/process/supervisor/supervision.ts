import { messageOf } from '../../../src/core/reeve-error.ts'
import { readDefinition } from '../shared/definition-file.ts'
import { runOfFile, serviceOfJson } from '../shared/layout.ts'
import { hasRun, type ServiceRecord } from '../shared/service-record.ts'
import { advance } from './advance.ts'
import { attempt, maintain } from './maintenance.ts'
import { listShims } from './run-facts.ts'
import { type Context, type Service, wakeIn } from './service.ts'
import { admitService, adoptService, listServices } from './service-loading.ts'

/** Undefined: not yet. An error: it never will be. */
export type Verdict = 'reached' | Error | undefined

/** All services of an instance, and what wakes them. Events only wake: `advance` itself determines what is due. */
export interface Supervision extends Disposable {
  readonly context: Context
  /** Also finds a service whose definition has only just been written. */
  find(name: string): Service | undefined
  /** Resolves when `judge` says so; it is called after each round of the service. */
  reach(service: Service, judge: () => Verdict): Promise<void>
  /** Ends the supervision of a removed service. */
  forget(service: Service): void
  /** Services whose records could not be written. */
  heldBack(): ReadonlyMap<string, ServiceRecord>
  /** False while there is a definition or a process. */
  isIdle(): boolean
}

interface Waiter {
  judge(): Verdict
  resolve(): void
  reject(error: Error): void
}

/** `onQuiet` is called after each round. */
export function createSupervision(base: Omit<Context, 'wake'>, onQuiet: () => void): Supervision {
  const services = new Map<string, Service>()
  const waiters = new Map<string, Set<Waiter>>()
  const woken = new Set<string>()
  let scheduled = false
  let disposed = false

  const context: Context = { ...base, wake }
  const { host, layout, log } = context

  function wake(name: string): void {
    if (disposed) return
    woken.add(name)
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  function flush(): void {
    scheduled = false
    if (disposed) return
    const names = [...woken]
    woken.clear()
    for (const name of names) look(name)
    onQuiet()
  }

  function look(name: string): void {
    const service = services.get(name)
    if (!service) return
    try {
      advance(service, context)
    } catch (error) {
      log.error({ service: name }, messageOf(error))
      wakeIn(service, 1_000, context)
    }
    judgeWaiters(service)
  }

  function judgeWaiters(service: Service): void {
    const waiting = waiters.get(service.name)
    for (const waiter of waiting ?? []) {
      const verdict = waiter.judge()
      if (verdict === undefined) continue
      waiting?.delete(waiter)
      if (verdict === 'reached') waiter.resolve()
      else waiter.reject(verdict)
    }
    if (waiting?.size === 0) waiters.delete(service.name)
  }

  function find(name: string): Service | undefined {
    const known = services.get(name)
    if (known) return known
    const service = admitService(name, context)
    if (service) services.set(name, service)
    return service
  }

  function noticeDefinition(file: string | undefined): void {
    const names = file === undefined ? listServices(context).keys() : [serviceOfJson(file)]
    for (const name of names) {
      const service = name === undefined ? undefined : find(name)
      if (service) service.definition = readDefinition(host, layout, service.name)
    }
    onQuiet()
  }

  function noticeRun(file: string | undefined): void {
    if (file === undefined) for (const name of services.keys()) wake(name)
    const found = file === undefined ? undefined : runOfFile(file)
    if (found) wake(found.service)
  }

  const watches = [
    host.watch(layout.runs, file => attempt(log, () => noticeRun(file))),
    host.watch(layout.definitions, file => attempt(log, () => noticeDefinition(file))),
  ]
  const shims = listShims(host, layout)
  for (const [name, runs] of listServices(context)) {
    attempt(log, () => {
      const service = adoptService(name, runs, shims.get(name), context)
      if (!service) return
      services.set(name, service)
      wake(name)
    })
  }
  const upkeep = maintain(services, context)

  return {
    context,
    find,
    reach(service, judge) {
      return new Promise((resolve, reject) => {
        const waiting = waiters.get(service.name) ?? new Set()
        waiting.add({ judge, resolve, reject })
        waiters.set(service.name, waiting)
        wake(service.name)
      })
    },
    forget(service) {
      service.timer?.[Symbol.dispose]()
      services.delete(service.name)
    },
    heldBack() {
      const held = [...services.values()].filter(({ isHeldBack }) => isHeldBack)
      return new Map(held.map(({ name, record }) => [name, record]))
    },
    isIdle() {
      return [...services.values()].every(({ definition, record }) => definition.kind === 'absent' && !hasRun(record))
    },
    [Symbol.dispose]() {
      disposed = true
      for (const watch of watches) watch[Symbol.dispose]()
      upkeep[Symbol.dispose]()
      for (const service of services.values()) service.timer?.[Symbol.dispose]()
    },
  }
}
