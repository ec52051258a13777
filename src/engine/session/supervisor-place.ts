import type { Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import type { PlaceFinder } from '../../core/state/place.ts'

/** See `Provider.place`. Where the provider fails over it, the instance is one of its own. */
export function askPlace(provider: Provider, instance: Instance, finder: PlaceFinder): string | undefined {
  const place = attempt(() => provider.place?.(instance))
  return place?.startsWith('/') ? finder.directory(place) : place
}

/** What a provider fails over in one instance must not hold up all others. */
export function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}
