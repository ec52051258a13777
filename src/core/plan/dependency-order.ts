import { addTo } from '../list-map.ts'

/** Reverses the edges of `needs`: for each name, those that need it. */
export function dependentsOf(needs: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const dependents = new Map<string, string[]>()
  for (const [name, dependencies] of needs) {
    for (const dependency of dependencies) addTo(dependents, dependency, name)
  }
  return dependents
}

/** Names in an order in which each follows all that it needs, as far as cycles allow; only keys of `needs`. */
export function dependenciesFirst(needs: ReadonlyMap<string, readonly string[]>): string[] {
  const order: string[] = []
  const seen = new Set<string>()
  for (const start of needs.keys()) {
    if (seen.has(start)) continue
    seen.add(start)
    const path: { name: string; next: number }[] = [{ name: start, next: 0 }]
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const dependency = needs.get(top.name)?.[top.next]
      top.next += 1
      if (dependency === undefined) {
        order.push(top.name)
        path.pop()
      } else if (!seen.has(dependency) && needs.has(dependency)) {
        seen.add(dependency)
        path.push({ name: dependency, next: 0 })
      }
    }
  }
  return order
}

/** Removes the edges that close a cycle, so that no wait along them is endless. */
export function withoutCycles(needs: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const rank = new Map(dependenciesFirst(needs).map((name, index) => [name, index]))
  const result = new Map<string, string[]>()
  for (const [name, dependencies] of needs) {
    const own = rank.get(name) ?? 0
    const kept = dependencies.filter(dependency => (rank.get(dependency) ?? -1) < own)
    result.set(name, kept)
  }
  return result
}
