/**
 * Coalesces notifications of a scanner into as few calls as possible: each caller gets the first call that begins after its
 * request.
 */
export function createAnnouncer(announce: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function announceAfter(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => {}) // reported to its own callers
    current = next
    next = undefined
    await announce()
  }

  return () => {
    next ??= announceAfter(current)
    return next
  }
}
