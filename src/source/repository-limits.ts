export interface RepositoryLimits {
  /** Of one pack, in bytes. */
  readonly pack: number
  /** Of what one revision's export holds, in bytes. */
  readonly output: number
  /** How long a fetch may take, in ms. */
  readonly fetch: number
  /** How long anything else may take, in ms. */
  readonly command: number
}

export const defaultLimits: RepositoryLimits = {
  pack: 2 * 1024 ** 3,
  output: 320 * 1024 * 1024,
  fetch: 10 * 60_000,
  command: 60_000,
}
