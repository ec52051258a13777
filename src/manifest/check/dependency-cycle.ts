/** Cycle: names that depend on each other, directly or through others. */
export interface DependencyCycle {
  /** All of them, sorted. */
  readonly members: readonly string[]
  /** A shortest path from the smallest name back to it, without the return. */
  readonly shown: readonly string[]
}

/** Number of names shown from each end of a long cycle. */
const shownAtEnds = 5

/** Cycles, ordered by their smallest name. A name that depends only on itself is none. Takes linear time. */
export function findCycles(dependencies: ReadonlyMap<string, readonly string[]>): DependencyCycle[] {
  return findGroups(dependencies)
    .filter(group => group.length > 1)
    .map(group => {
      const members = group.toSorted()
      return { members, shown: shortestCycle(members, dependencies) }
    })
    .sort((a, b) => ((a.members[0] ?? '') < (b.members[0] ?? '') ? -1 : 1))
}

/** `a → b → c → a`, shortened in the middle where it is long. */
export function cycleText({ shown, members }: DependencyCycle): string {
  const hidden = shown.length - 2 * shownAtEnds
  const names =
    hidden <= 1
      ? shown
      : [...shown.slice(0, shownAtEnds), `… (${hidden} more)`, ...shown.slice(shown.length - shownAtEnds)]
  const circle = [...names, shown[0]].join(' → ')
  const others = members.length - shown.length
  return others === 0 ? circle : `${circle}; so do ${others} more by way of these`
}

/** Strongly connected components, by Tarjan's algorithm. Depth-first by hand: a chain of thousands would exhaust the stack. */
function findGroups(dependencies: ReadonlyMap<string, readonly string[]>): string[][] {
  const groups: string[][] = []
  const found = new Map<string, Visit>()
  const open: Visit[] = []
  for (const start of dependencies.keys()) {
    if (found.has(start)) continue
    const trail = [visit(start)]
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const name = top.dependencies[top.next]
      if (name !== undefined) {
        top.next += 1
        const known = found.get(name)
        if (known === undefined && dependencies.has(name)) trail.push(visit(name))
        else if (known?.isOpen) top.lowest = Math.min(top.lowest, known.index)
        continue
      }
      trail.pop()
      const above = trail.at(-1)
      if (above !== undefined) above.lowest = Math.min(above.lowest, top.lowest)
      if (top.lowest === top.index) groups.push(close(top))
    }
  }
  return groups

  function visit(name: string): Visit {
    const index = found.size
    const one = { name, index, lowest: index, isOpen: true, next: 0, dependencies: dependencies.get(name) ?? [] }
    found.set(name, one)
    open.push(one)
    return one
  }

  function close(root: Visit): string[] {
    const group: string[] = []
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      one.isOpen = false
      group.push(one.name)
      if (one === root) break
    }
    return group
  }
}

interface Visit {
  readonly name: string
  /** Index in the order of visits, and the smallest index reachable from it. */
  readonly index: number
  lowest: number
  /** True: its group is not complete yet. */
  isOpen: boolean
  readonly dependencies: readonly string[]
  next: number
}

/** Breadth-first from the first member, within the group. */
function shortestCycle(members: readonly string[], dependencies: ReadonlyMap<string, readonly string[]>): string[] {
  const [start = ''] = members
  const group = new Set(members)
  const from = new Map<string, string>()
  const queue = [start]
  for (const name of queue) {
    for (const next of dependencies.get(name) ?? []) {
      if (next === start && name !== start) return trace(name)
      if (next === start || !group.has(next) || from.has(next)) continue
      from.set(next, name)
      queue.push(next)
    }
  }
  return [...members] // which can't be: they all lead back

  function trace(last: string): string[] {
    const names: string[] = []
    for (let name: string | undefined = last; name !== undefined; name = from.get(name)) names.push(name)
    return names.reverse()
  }
}
