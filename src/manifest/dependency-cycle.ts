/**
 * Cycles among names that depend on each other, each as the names on it, beginning with the smallest: every
 * one at which a walk from the smallest name comes back to its own trail.
 */
export function findCycles(dependencies: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const depth = new Map<string, number>()
  for (const start of [...dependencies.keys()].sort()) {
    if (done.has(start)) continue
    // Depth-first by hand: a chain of thousands would exhaust the stack.
    const trail: { readonly name: string; readonly rest: string[] }[] = [{ name: start, rest: next(start) }]
    depth.set(start, 0)
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const name = top.rest.pop()
      if (name === undefined) {
        trail.pop()
        depth.delete(top.name)
        done.add(top.name)
        continue
      }
      const from = depth.get(name)
      if (from !== undefined) {
        cycles.push(rotate(trail.slice(from).map(step => step.name)))
      } else if (!done.has(name)) {
        depth.set(name, trail.length)
        trail.push({ name, rest: next(name) })
      }
    }
  }
  return cycles

  function next(name: string): string[] {
    return (dependencies.get(name) ?? [])
      .filter(other => dependencies.has(other))
      .toSorted()
      .reverse()
  }
}

function rotate(cycle: readonly string[]): string[] {
  const smallest = cycle.indexOf(cycle.toSorted()[0] ?? '')
  return [...cycle.slice(smallest), ...cycle.slice(0, smallest)]
}
