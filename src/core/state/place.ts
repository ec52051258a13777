/**
 * Where files and directories stand on the host, by their paths as somebody wrote them: one file can have several. Paths that
 * aren't in it stand where they say. What is compared by path is compared by this. Those of directories end with a slash: a
 * symlink in their place is followed, and one in the place of a file is not.
 */
export type Places = ReadonlyMap<string, string>

/** Resolved places of a `Snapshot`. */
export interface Placed {
  readonly places?: Places
}

export function placeOf(path: string, { places }: Placed): string {
  return places?.get(path) ?? path
}

/** The key of a directory in `Places`. */
export function asDirectory(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

export function isSamePlace(one: string, other: string, placed: Placed): boolean {
  return placeOf(one, placed) === placeOf(other, placed)
}

/** Looks up a value by where its path leads; an entry of the same spelling wins. */
export function lookUpByPlace<T>(values: ReadonlyMap<string, T>, placed: Placed): (path: string) => T | undefined {
  let byPlace: Map<string, T> | undefined
  return path => {
    const own = values.get(path)
    if (own !== undefined || !placed.places?.size) return own
    byPlace ??= new Map([...values].map(([other, value]) => [placeOf(other, placed), value]))
    return byPlace.get(placeOf(path, placed))
  }
}

/**
 * Asks the host where a path stands, whichever way it is written: /lib/x and /usr/lib/x are one file where /lib leads to
 * /usr/lib, as are two paths through a directory that is mounted in two places. Two paths are one if it says the same of both.
 */
export interface PlaceFinder {
  /** Of what is, or is to be, at the path itself: only the way to it is followed. */
  entry(path: string): string
  /** Of a directory: a symlink in its place is followed too. */
  directory(path: string): string
}

/** For use without a host: paths lead where they say. */
export const asWritten: PlaceFinder = { entry: path => path, directory: path => path }
