import type { Log } from '../../../src/core/contracts/log.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { isAlive } from '../../../src/host/process-identity.ts'
import { hasRun } from '../shared/service-record.ts'
import { isTooLarge, outputOf } from './output-file.ts'
import { createRotation } from './rotation.ts'
import type { Context, Service } from './service.ts'

/** Interval in ms at which processes are checked for an unreported end; for many services, this long for each. */
const sweepInterval = 1_000
const sweepShare = 50

/** Interval in ms at which output sizes are checked. */
const rotationInterval = 10_000

/** Size in bytes at which the supervisor's own log is rotated. */
const ownLogSize = 10 * 1024 * 1024

/** Periodic work independent of events: checks for missed events, and rotation of outputs. */
export function maintain(services: ReadonlyMap<string, Service>, context: Context): Disposable {
  const { host, layout, log, clock } = context
  const rotation = createRotation(context)
  const timers = new Map<() => void, Disposable>()
  let lastSweep = Number.NEGATIVE_INFINITY

  function sweep(): void {
    if (clock.elapsed() - lastSweep < services.size * sweepShare) return
    lastSweep = clock.elapsed()
    for (const service of services.values()) if (needsLook(service)) context.wake(service.name)
    if (![...services.values()].some(({ isHeldBack }) => isHeldBack)) context.unwritable.worked(layout.directory)
  }

  function needsLook({ record, isSaved }: Service): boolean {
    if (!isSaved) return true
    if (!hasRun(record)) return false
    const { pid, startTime } = record
    return pid === undefined || startTime === undefined || !isAlive({ pid, startTime }, host)
  }

  function rotate(): void {
    for (const { name, definition } of services.values()) {
      if (definition.kind !== 'valid') continue
      const output = outputOf(layout, name, definition.process)
      attempt(log, () => isTooLarge(host, output) && rotation.rotate(output, name, definition.process))
    }
    const own = { file: layout.log, maxSize: ownLogSize, keep: 2 }
    if (isTooLarge(host, own)) rotation.rotate(own, 'supervisor')
  }

  function repeat(interval: number, act: () => void): void {
    attempt(log, act)
    timers.set(
      act,
      clock.after(interval, () => repeat(interval, act)),
    )
  }

  repeat(sweepInterval, sweep)
  repeat(rotationInterval, rotate)
  return {
    [Symbol.dispose]() {
      for (const timer of timers.values()) timer[Symbol.dispose]()
    },
  }
}

/** A single failure, e.g. for want of descriptors, must not end the supervisor: the work is repeated next time. */
export function attempt(log: Log, act: () => unknown): void {
  try {
    act()
  } catch (error) {
    log.error({}, messageOf(error))
  }
}
