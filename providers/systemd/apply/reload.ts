import type { WriteBus } from '../../../src/core/contracts/bus.ts'
import { managerCall } from '../bus/manager.ts'

/** Resolves when systemd has read what is on the disk now. */
export type Reload = () => Promise<void>

/** daemon-reload takes long, and one does for all that was written before it began: who asks while one is under way shares the next. */
export function createReload(bus: WriteBus): Reload {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined

  async function begin(): Promise<void> {
    // How the one before went is told to those who asked for it.
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
