/**
 * Has a scanner told of what many have done by as few calls as that takes: whoever asks gets the first call that begins after
 * it has asked.
 */
export function createAnnouncer(announce: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function announceAfter(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => {}) // whoever asked for that one is told of it
    current = next
    next = undefined
    await announce()
  }

  return () => {
    next ??= announceAfter(current)
    return next
  }
}
