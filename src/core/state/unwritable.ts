/** Place that can't be written now, as its disk is full, read-only or broken. */
export interface Unwritable {
  /** The directory, absolute. */
  readonly path: string
  /** What is wrong and what to do, for people. The same for as long as it lasts. */
  readonly message: string
  /** Milliseconds since 1970. */
  readonly since: number
}

/** As plans and the status have it. */
export interface UnwritableReport {
  /** Supervisor of the place; absent: the controller's. */
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
