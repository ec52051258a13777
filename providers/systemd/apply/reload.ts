import type { WriteBus } from '../../../src/core/contracts/bus.ts'
import { managerCall } from '../bus/manager.ts'

/** Resolves when systemd has loaded what is on the disk now. */
export type Reload = () => Promise<void>

/** daemon-reload takes long, and one serves everything written before it began: callers during one share the next. */
export function createReload(bus: WriteBus): Reload {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined

  async function begin(): Promise<void> {
    // The result of the previous one is reported to its own callers.
    await Promise.allSettled([running])
    next = undefined
    running = bus.call(managerCall('Reload'))
    await running
  }

  return () => {
    next ??= begin()
    return next
  }
}
