import type { Provider } from '../../core/contracts/provider.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import type { Clock } from '../../host/clock.ts'
import { giveUpLate } from './abandonment.ts'
import { findAvailabilityFault, findListFault, findObservationFault, findRenderFault } from './provider-answers.ts'

/**
 * The same provider, of which nothing is taken over that can't be: a wrong answer is an error that names the provider and what it
 * gave, or of a single service, `unknown` (E7); an action that goes on though it isn't wanted is given up.
 */
export function createCheckedProvider(provider: Provider, clock: Clock): Provider {
  const { type } = provider
  return {
    ...provider,
    async probe(...args) {
      const answer = await provider.probe(...args)
      expectNone(type, 'probe', findAvailabilityFault(answer))
      return answer
    },
    render(...args) {
      const answer = provider.render(...args)
      const fault = findRenderFault(answer)
      // Whoever asks says of which provider and facility.
      if (fault !== undefined) throw new ReeveError('failed', `it gave ${fault}`)
      return answer
    },
    async list(...args) {
      const answer = await provider.list(...args)
      expectNone(type, 'list', findListFault(answer))
      return answer
    },
    async observe(services, ...rest) {
      const answer: ReadonlyMap<string, Observed> = await provider.observe(services, ...rest)
      expectNone(type, 'observe', answer instanceof Map ? undefined : 'no Map')
      return new Map(services.map(service => [service, believe(type, service, answer.get(service))]))
    },
    apply: (actions, instance, host, report) =>
      giveUpLate(actions, clock, type, report, async reported => provider.apply(actions, instance, host, reported)),
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
