/** Names listed before the rest becomes a number. */
const mostNames = 5

/** Groups items with the same key, in the order in which the keys came first. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return [...groups.values()]
}

/** `web, worker`; of many `a, b, c, d, e and 495 more`. */
export function namesText(names: readonly string[]): string {
  if (names.length <= mostNames + 1) return names.join(', ')
  return `${names.slice(0, mostNames).join(', ')} and ${names.length - mostNames} more`
}
