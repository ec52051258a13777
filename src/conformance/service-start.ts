import { silentLog } from '../core/contracts/log.ts'
import type { Provider } from '../core/contracts/provider.ts'
import { createClock } from '../host/clock.ts'
import { createWriteHost } from '../host/write-host.ts'

/**
 * Starts services of an instance as Reeve's controller does after a boot: for harnesses of supervisors that nothing else
 * starts.
 */
export async function startServices(
  provider: Provider,
  options: Readonly<Record<string, unknown>>,
  services: readonly string[],
): Promise<void> {
  const { type, capabilities } = provider
  const instance = { name: 'lab', type, options, stateDirectory: '/nonexistent', owner: 'boot' }
  const host = createWriteHost({ ...capabilities, provider: type })
  using applier = provider.openApplier(instance, { host, clock: createClock(), log: silentLog })
  const { signal } = new AbortController()
  const actions = services.map(service => ({ id: service, verb: 'start', service, signal }) as const)
  await applier.apply(actions, result => {
    if (!result.ok) throw result.error
  })
}
