import type { WriteBus } from '../../src/core/provider.ts'
import { managerCall } from './manager.ts'

/** daemon-reload for all who want one: it takes long, and one does for all that was written before it began. */
export interface Reloads {
  /** Resolves when systemd has read what is on the disk now. */
  reload(bus: WriteBus): Promise<void>
}

/** Who asks while one is under way shares the next. */
export function createReloads(): Reloads {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined

  async function begin(bus: WriteBus): Promise<void> {
    // How the one before went is told to those who asked for it.
    await Promise.allSettled([running])
    next = undefined
    running = bus.call(managerCall('Reload'))
    await running
  }

  return {
    reload(bus) {
      next ??= begin(bus)
      return next
    },
  }
}
