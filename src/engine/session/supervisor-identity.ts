import type { Identity, Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import type { PlaceFinder } from '../../core/state/place.ts'

/** See `Identity.place`, with where a directory leads on this host. Undefined: the instance is one of its own. */
export function findPlace(provider: Provider, instance: Instance, finder: PlaceFinder): string | undefined {
  const identity = identify(provider, instance)
  return identity && lead(identity.place, finder)
}

/** See `Identity.layout`. */
export function findLayout(provider: Provider, instance: Instance, finder: PlaceFinder): string | undefined {
  const identity = identify(provider, instance)
  return identity && (identity.layout ?? [identity.place]).map(part => lead(part, finder)).join('\n')
}

/** Undefined if the provider throws: an error about one instance must not affect the others. */
function identify(provider: Provider, instance: Instance): Identity | undefined {
  try {
    return provider.identify?.(instance)
  } catch {
    return undefined
  }
}

function lead(part: string, finder: PlaceFinder): string {
  return part.startsWith('/') ? finder.directory(part) : part
}
