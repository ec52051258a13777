export interface RepositoryLimits {
  /** Of one pack, in bytes. */
  readonly pack: number
  /** Of all that the copy takes on the disk, in bytes. From half of it on, the next fetch makes it anew. */
  readonly copy: number
  /** How many packs, and how many files at all, it may have before the next fetch makes it anew. */
  readonly packs: number
  readonly files: number
  /** Of what one revision's export holds, in bytes. */
  readonly output: number
  /** Of git while it lists references, which it keeps in memory, in bytes. */
  readonly memory: number
  /** How long a fetch may take, in ms. */
  readonly fetch: number
  /** How long anything else may take, in ms. */
  readonly command: number
}

export const defaultLimits: RepositoryLimits = {
  pack: 2 * 1024 ** 3,
  copy: 4 * 1024 ** 3,
  packs: 50,
  files: 20_000,
  output: 320 * 1024 * 1024,
  memory: 1024 ** 3,
  fetch: 10 * 60_000,
  command: 60_000,
}
