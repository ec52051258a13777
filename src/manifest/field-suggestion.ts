import { closest, distance } from 'fastest-levenshtein'

/** The one of `known` that was likely meant by `found`, if any is close. */
export function suggest(found: string, known: readonly string[]): string | undefined {
  if (found === '' || known.length === 0) return undefined
  const simplified = simplify(found)
  const same = known.find(candidate => simplify(candidate) === simplified)
  if (same !== undefined) return same
  // Letters in the wrong order are two edits apart, too far for short words.
  const swapped = known.find(candidate => letters(candidate) === letters(found))
  if (swapped !== undefined) return swapped
  const nearest = closest(found, [...known])
  const allowed = Math.max(1, Math.floor(Math.max(found.length, nearest.length) / 3))
  return distance(found, nearest) <= allowed ? nearest : undefined
}

/** `; did you mean "x"?`, or nothing. */
export function suggestionFor(found: string, known: readonly string[]): string {
  const suggestion = suggest(found, known)
  return suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
}

/** `depends_on`, `depends-on` and `dependson` are all meant to be `dependsOn`. */
function simplify(key: string): string {
  return key.toLowerCase().replaceAll(/[-_ ]/g, '')
}

function letters(key: string): string {
  return [...key].sort().join('')
}

/** `a`, `a or b`, `a, b or c`. */
export function listOf(items: readonly string[], joint: 'and' | 'or'): string {
  const last = items.at(-1) ?? ''
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} ${joint} ${last}`
}
