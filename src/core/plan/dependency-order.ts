/** For each name, those that need it: the edges of `needs` turned round. */
export function dependentsOf(needs: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const dependents = new Map<string, string[]>()
  for (const [name, dependencies] of needs) {
    for (const dependency of dependencies) {
      const list = dependents.get(dependency)
      if (list) list.push(name)
      else dependents.set(dependency, [name])
    }
  }
  return dependents
}

/** The first cycle found, its first name repeated at the end: `[a, b, a]`; undefined if there is none. */
export function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const settled = new Set<string>()
  for (const start of needs.keys()) {
    // Depth first without recursion: ten thousand facilities in a row are legal.
    const path: { name: string; next: number }[] = [{ name: start, next: 0 }]
    const onPath = new Set([start])
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const dependency = needs.get(top.name)?.[top.next]
      top.next += 1
      if (dependency === undefined) {
        settled.add(top.name)
        onPath.delete(top.name)
        path.pop()
      } else if (onPath.has(dependency)) {
        const names = path.map(entry => entry.name)
        return [...names.slice(names.indexOf(dependency)), dependency]
      } else if (!settled.has(dependency)) {
        onPath.add(dependency)
        path.push({ name: dependency, next: 0 })
      }
    }
  }
  return undefined
}

/** Every name after all that it needs, as far as cycles allow; names in `needs` only. */
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

/** The same edges but for those that close a cycle, so that nothing that waits along them waits for ever. */
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
