import type { Applier, Availability, Observer, Provider } from '../../core/contracts/provider.ts'
import { describeValue, isObject } from '../../core/outside-value.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import type { Clock } from '../../host/clock.ts'
import { giveUpLate } from './abandonment.ts'
import { findAvailabilityFault, findListFault, findObservationFault, findRenderFault } from './provider-answers.ts'

/**
 * Wraps a provider and checks its answers: a wrong one is an error that names the provider and the answer, or for a single
 * service, `unknown` (E7). Actions that go on after their abort are abandoned.
 */
export function createCheckedProvider(provider: Provider, clock: Clock): Provider {
  const { type } = provider
  return {
    ...provider,
    render(...args) {
      const answer = provider.render(...args)
      const fault = findRenderFault(answer)
      // The caller names the provider and the facility.
      if (fault !== undefined) throw new ReeveError('failed', `it gave ${fault}`)
      return answer
    },
    openObserver: (...args) =>
      checkObserver(
        type,
        open(provider, 'openObserver', ['probe', 'list', 'observe'], () => provider.openObserver(...args)),
      ),
    openApplier: (...args) =>
      checkApplier(
        type,
        open(provider, 'openApplier', ['apply'], () => provider.openApplier(...args)),
        clock,
      ),
  }
}

/** Throws ReeveError that names what is wrong with the provider. */
function open<T extends Observer | Applier>(
  provider: Provider,
  method: 'openObserver' | 'openApplier',
  needed: readonly (string & keyof T)[],
  act: () => T,
): T {
  const { type } = provider
  if (typeof provider[method] !== 'function') {
    const isFormer = 'observe' in provider || 'apply' in provider
    const why = isFormer ? '; it was written for an earlier Reeve, which did not open supervisors' : ''
    throw new ReeveError('invalid', `provider ${type} has no function ${method}${why}`)
  }
  const opened = attempt(type, method, act)
  if (!isObject(opened) || opened instanceof Promise) {
    throw new ReeveError('invalid', describeFault(type, method, describeValue(opened)))
  }
  const missing = needed.filter(name => typeof opened[name] !== 'function')
  if (missing.length === 0) return opened
  throw new ReeveError('invalid', describeFault(type, method, `something without a function ${missing.join(', ')}`))
}

function attempt<T>(type: string, method: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    const message = `provider ${type}: ${method} failed: ${messageOf(cause)}; this is a fault of the provider`
    throw new ReeveError('failed', message, { cause })
  }
}

function checkObserver(type: string, observer: Observer): Observer {
  return {
    ...observer,
    async probe() {
      const answer = await observer.probe().catch(notReached)
      expectNone(type, 'probe', findAvailabilityFault(answer))
      return answer
    },
    async list() {
      const answer = await observer.list()
      expectNone(type, 'list', findListFault(answer))
      return answer
    },
    async observe(services) {
      const notObserved = (error: unknown) =>
        new Map(services.map(name => [name, unknownService(name, reasonOf(error))]))
      const answer: ReadonlyMap<string, Observed> = await observer.observe(services).catch(notObserved)
      expectNone(type, 'observe', answer instanceof Map ? undefined : 'no Map')
      return new Map(services.map(service => [service, believe(type, service, answer.get(service))]))
    },
    [Symbol.dispose]: disposal(observer),
  }
}

/** Of a supervisor that can't be asked: any other error is a fault of the provider. */
function reasonOf(error: unknown): string {
  if (error instanceof ReeveError && error.code === 'unavailable') return error.message
  throw error
}

function notReached(error: unknown): Availability {
  return { available: false, reason: reasonOf(error) }
}

function checkApplier(type: string, applier: Applier, clock: Clock): Applier {
  return {
    ...applier,
    apply: (actions, report) =>
      giveUpLate(actions, clock, type, report, async reported => applier.apply(actions, reported)),
    [Symbol.dispose]: disposal(applier),
  }
}

/** Disposes of an observer or applier once. An error is ignored, so that the others are disposed of as well. */
function disposal(opened: Partial<Disposable>): () => void {
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    try {
      opened[Symbol.dispose]?.()
    } catch {} // must not keep the others from it
  }
}

function expectNone(type: string, method: string, fault: string | undefined): void {
  if (fault !== undefined) throw new ReeveError('failed', describeFault(type, method, fault))
}

function believe(type: string, service: string, observed: Observed | undefined): Observed {
  const fault = findObservationFault(service, observed)
  if (observed && fault === undefined) return observed
  return unknownService(service, describeFault(type, `observe of ${service}`, fault ?? 'no answer'))
}

function describeFault(type: string, method: string, fault: string): string {
  return `provider ${type}: ${method} gave ${fault}; this is a fault of the provider`
}
