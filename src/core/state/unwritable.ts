import type { Log } from '../contracts/log.ts'

/** A place where nothing can be written down now, as its disk is full, read-only or broken. */
export interface Unwritable {
  /** The directory, absolute. */
  readonly path: string
  /** What is wrong and what to do, for people. The same for as long as it lasts. */
  readonly message: string
  /** Milliseconds since 1970. */
  readonly since: number
}

/** Places that can't be written to, each told once in the log when it begins, and once when it is over. */
export interface UnwritablePlaces {
  /** Writing there has just failed. */
  failed(path: string, message: string): void
  /** Writing there has just gone well. */
  worked(path: string): void
  /** Those of now, by path. */
  list(): readonly Unwritable[]
}

/** `changed` is called when one comes or goes. */
export function createUnwritablePlaces(log: Log, now: () => number, changed: () => void = () => {}): UnwritablePlaces {
  const places = new Map<string, Unwritable>()
  return {
    failed(path, message) {
      if (places.get(path)?.message === message) return
      places.set(path, { path, message, since: places.get(path)?.since ?? now() })
      log.error({ path }, `${message}; meanwhile it goes on without writing there`)
      changed()
    },
    worked(path) {
      if (!places.delete(path)) return
      log.info({ path }, `${path} can be written again`)
      changed()
    },
    list: () => [...places.values()].sort((left, right) => (left.path < right.path ? -1 : 1)),
  }
}

/** As plans and the status have it. */
export interface UnwritableReport {
  /** Whose place it is; absent: the controller's. */
  readonly supervisor?: string
  readonly path: string
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}

export function reportUnwritable(places: readonly Unwritable[], supervisor?: string): UnwritableReport[] {
  return places.map(({ path, message, since }) => ({
    ...(supervisor !== undefined && { supervisor }),
    path,
    message,
    since: new Date(since).toISOString(),
  }))
}

/** For people. */
export function describeUnwritable({ supervisor, message, since }: UnwritableReport): string {
  return `${supervisor === undefined ? '' : `supervisor ${supervisor}: `}${message} (since ${since})`
}
