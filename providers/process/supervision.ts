import { messageOf } from '../../src/core/reeve-error.ts'
import { advance } from './advance.ts'
import { readDefinition } from './definition-file.ts'
import { runOfFile, serviceOfJson } from './layout.ts'
import { isTooLarge, outputOf } from './output-file.ts'
import { createRotation } from './rotation.ts'
import { isAlive } from './run-facts.ts'
import { type Context, type Service, wakeIn } from './service.ts'
import { admitService, adoptService, listServices } from './service-loading.ts'
import { hasRun } from './service-record.ts'

/** Undefined: not yet. An error: it never will be. */
export type Verdict = 'reached' | Error | undefined

/** All services of an instance, and what wakes them. Events only wake: `advance` sees for itself what is due. */
export interface Supervision extends Disposable {
  readonly context: Context
  /** Also one whose definition has only just been written. */
  find(name: string): Service | undefined
  /** Resolves when `judge` says that it is reached; it is asked after each look at the service. */
  reach(service: Service, judge: () => Verdict): Promise<void>
  /** The service is removed: nothing of it is looked at any more. */
  forget(service: Service): void
  /** False while there is a definition or a process. */
  isIdle(): boolean
}

interface Waiter {
  judge(): Verdict
  resolve(): void
  reject(error: Error): void
}

/** How often processes are checked for an end that no event told, in ms; for many services, this long for each. */
const sweepInterval = 1_000
const sweepShare = 50

/** How often outputs are checked for their size, in ms. */
const rotationInterval = 10_000

/** The size at which the supervisor's own log is rotated, in bytes. */
const ownLogSize = 10 * 1024 * 1024

/** `onQuiet` is called after each round of looks. */
export function createSupervision(base: Omit<Context, 'wake'>, onQuiet: () => void): Supervision {
  const services = new Map<string, Service>()
  const waiters = new Map<string, Set<Waiter>>()
  const woken = new Set<string>()
  const timers = new Set<Disposable>()
  let scheduled = false
  let disposed = false

  const context: Context = { ...base, wake }
  const { host, layout, log, clock } = context
  const rotation = createRotation(context)

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

  function sweep(): void {
    for (const service of services.values()) {
      const { record } = service
      if (!service.isSaved) wake(service.name)
      if (!hasRun(record)) continue
      const { pid, startTime } = record
      if (pid === undefined || startTime === undefined || !isAlive(host, { pid, startTime })) wake(service.name)
    }
    repeat(Math.max(sweepInterval, services.size * sweepShare), sweep)
  }

  function rotate(): void {
    for (const { name, definition } of services.values()) {
      if (definition.kind !== 'valid') continue
      const output = outputOf(layout, name, definition.process)
      if (isTooLarge(host, output)) rotation.rotate(output, name)
    }
    const own = { file: layout.log, maxSize: ownLogSize, keep: 2 }
    if (isTooLarge(host, own)) rotation.rotate(own, 'supervisor')
    repeat(rotationInterval, rotate)
  }

  function repeat(interval: number, act: () => void): void {
    const timer = clock.after(interval, () => {
      timers.delete(timer)
      if (!disposed) act()
    })
    timers.add(timer)
  }

  const watches = [host.watch(layout.runs, noticeRun), host.watch(layout.definitions, noticeDefinition)]
  for (const [name, runs] of listServices(context)) {
    const service = adoptService(name, runs, context)
    if (!service) continue
    services.set(name, service)
    wake(name)
  }
  sweep()
  rotate()

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
    isIdle() {
      return [...services.values()].every(({ definition, record }) => definition.kind === 'absent' && !hasRun(record))
    },
    [Symbol.dispose]() {
      disposed = true
      for (const watch of watches) watch[Symbol.dispose]()
      for (const timer of timers) timer[Symbol.dispose]()
      for (const service of services.values()) service.timer?.[Symbol.dispose]()
    },
  }
}
