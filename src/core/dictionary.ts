/**
 * Objects whose keys are words from outside: of manifests, unit files, environments. An ordinary object seems to have
 * `constructor` and `toString`, and makes something else of an assignment to `__proto__` (S12).
 */
export type Dictionary<T> = Record<string, T>

/** Without a prototype: it has what was put into it, and nothing else. */
export function createDictionary<T>(entries: Iterable<readonly [string, T]> = []): Dictionary<T> {
  const dictionary: Dictionary<T> = Object.create(null)
  for (const [key, value] of entries) dictionary[key] = value
  return dictionary
}

/** What the table itself has under this key, whatever its prototype has. */
export function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
