import fc from 'fast-check'

/** A number from 0 to below `count`, of the seed's sequence. */
export type Choose = (count: number) => number

export function createChooser(seed: number): Choose {
  const [stream] = fc.sample(fc.infiniteStream(fc.nat()), { seed, numRuns: 1 })
  return count => (stream?.next().value ?? 0) % Math.max(count, 1)
}

/** Returns all items in random order before it repeats one, so that rare ones occur too. */
export function createBag<Item>(items: readonly Item[], choose: Choose): () => Item | undefined {
  let left: Item[] = []
  return () => {
    if (left.length === 0) left = [...items]
    return left.splice(choose(left.length), 1)[0]
  }
}
