import type { Identity, Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import type { PlaceFinder } from '../../core/state/place.ts'
import { tryTo } from '../../core/try-to.ts'

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
  return tryTo(() => provider.identify?.(instance))
}

function lead(part: string, finder: PlaceFinder): string {
  return part.startsWith('/') ? finder.directory(part) : part
}
