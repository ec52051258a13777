/** What a look gives; undefined if it fails, where that is as good as finding nothing. */
export function tryTo<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
