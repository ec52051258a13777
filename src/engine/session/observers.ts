import type { ReadHost } from '../../core/contracts/host.ts'
import type { Log } from '../../core/contracts/log.ts'
import type { Observer, Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { unknownService } from '../../core/state/observed.ts'
import type { Clock } from '../../host/clock.ts'

/** Observers of a session: one per supervisor instance, opened when it is first needed. */
export interface Observers extends Disposable {
  /** If it cannot be opened, the supervisor is unavailable; the next call tries again. */
  get(provider: Provider, instance: Instance): Observer
  /** Disposes of the observers of all other instances. */
  keep(instances: Iterable<Instance>): void
}

export interface ObserverGround {
  readonly clock: Clock
  readonly log: Log
  readHostFor(provider: Provider): ReadHost
}

export function createObservers({ clock, log, readHostFor }: ObserverGround): Observers {
  const open = new Map<string, Observer>()

  function drop(key: string): void {
    open.get(key)?.[Symbol.dispose]()
    open.delete(key)
  }

  return {
    get(provider, instance) {
      const key = instanceKey(instance)
      const known = open.get(key)
      if (known) return known
      try {
        const observer = provider.openObserver(instance, { host: readHostFor(provider), clock, log })
        open.set(key, observer)
        return observer
      } catch (error) {
        return createBlindObserver(messageOf(error))
      }
    },
    keep(instances) {
      const kept = new Set([...instances].map(instanceKey))
      for (const key of [...open.keys()]) if (!kept.has(key)) drop(key)
    },
    [Symbol.dispose]() {
      for (const key of [...open.keys()]) drop(key)
    },
  }
}

/** Key of an instance, which has all that it is opened with. */
export function instanceKey(instance: Instance): string {
  return JSON.stringify(instance)
}

/** Stands for an observer that could not be opened. */
function createBlindObserver(reason: string): Observer {
  return {
    probe: async () => ({ available: false, reason }),
    async list() {
      throw new ReeveError('unavailable', reason)
    },
    observe: async services => new Map(services.map(service => [service, unknownService(service, reason)])),
    [Symbol.dispose]() {},
  }
}
