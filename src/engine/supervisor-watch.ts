import type { BoundInstance } from './instances.ts'

export interface SupervisorWatch {
  /** Watches these from now on, and no others. Those that are watched already stay so. */
  follow(instances: ReadonlyMap<string, BoundInstance>): void
  [Symbol.dispose](): void
}

/** The supervisors' own events, where they have any. Without a service, the hint is about the whole supervisor. */
export function createSupervisorWatch(
  hint: (supervisor: string, service: string | undefined) => void,
): SupervisorWatch {
  const watched = new Map<string, { readonly key: string; readonly watch: Disposable }>()

  function drop(name: string): void {
    watched.get(name)?.watch[Symbol.dispose]()
    watched.delete(name)
  }

  return {
    follow(instances) {
      for (const [name, { provider, instance, readHost }] of instances) {
        const key = JSON.stringify(instance)
        if (!provider.watch || watched.get(name)?.key === key) continue
        drop(name)
        watched.set(name, { key, watch: provider.watch(instance, readHost, service => hint(name, service)) })
      }
      for (const name of [...watched.keys()]) if (!instances.has(name)) drop(name)
    },
    [Symbol.dispose]() {
      for (const name of [...watched.keys()]) drop(name)
    },
  }
}
