import type { ReadHost, WriteHost } from '../../src/core/contracts/host.ts'
import { silentLog } from '../../src/core/contracts/log.ts'
import type { Applier, ApplierTools, Observer, ObserverTools, Provider } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { type Clock, createClock } from '../../src/host/clock.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createWriteHost } from '../../src/host/write-host.ts'

/** Opened as by the engine. */
export function openObserver(
  provider: Provider,
  instance: Instance,
  host: ReadHost = createReadHost(provider.capabilities),
  clock: Clock = createClock(),
): Observer {
  return provider.openObserver(instance, { host, clock, log: silentLog })
}

export function openApplier(
  provider: Provider,
  instance: Instance,
  host: WriteHost = createWriteHost(provider.capabilities),
  clock: Clock = createClock(),
): Applier {
  return provider.openApplier(instance, { host, clock, log: silentLog })
}

type Change<Opened, Tools> = (opened: Opened, instance: Instance, tools: Tools) => Partial<Opened>

/** The same provider, with some methods of its observers replaced. */
export function withObserver(provider: Provider, change: Change<Observer, ObserverTools>): Provider {
  return {
    ...provider,
    openObserver(instance, tools) {
      const real = provider.openObserver(instance, tools)
      return { ...real, ...change(real, instance, tools) }
    },
  }
}

export function withApplier(provider: Provider, change: Change<Applier, ApplierTools>): Provider {
  return {
    ...provider,
    openApplier(instance, tools) {
      const real = provider.openApplier(instance, tools)
      return { ...real, ...change(real, instance, tools) }
    },
  }
}
