/**
 * Where a path really leads on this host: links followed as the kernel follows them, `..` after them. Of what doesn't exist
 * yet, the deepest directory that does counts.
 */
export interface PathEnd {
  /** Where the entry itself stands: the links before its last component are resolved. */
  readonly entry: string
  /** With all links resolved. */
  readonly end: string
  /** Directory or link on the way that others can change, for people. */
  readonly changeable?: string
  /** The end itself can be written by others. For people. */
  readonly writable?: string
}

/** Follows a path on the host. `user` may change it too, as that harms only itself. Undefined: its end is unknown. */
export type FollowPath = (path: string, user?: string) => PathEnd | undefined

/** Follows no links, for use without a host. */
export const followWords: FollowPath = path => {
  if (!path.startsWith('/')) return undefined
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) return undefined
  const end = `/${parts.join('/')}`
  return { entry: end, end }
}

/** Whole components count: /usr/bin is above /usr/bin/node, and not above /usr/bin-evil. */
export function isBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`)
}

/** Place and end of a policy entry. */
function placesOf(entry: string, follow: FollowPath): readonly string[] {
  const found = follow(entry) ?? followWords(entry)
  return found === undefined ? [] : [found.entry, found.end]
}

/**
 * Whether the path is one that a list of the policy allows. Both its place and its end have to be: of a program that is many,
 * as busybox is, a list with one of its names allows that name only.
 */
export function isAllowedPath(found: PathEnd, allowed: readonly string[], follow: FollowPath): boolean {
  const places = allowed.flatMap(entry => placesOf(entry, follow))
  return [found.entry, found.end].every(path => places.some(place => isBelow(path, place)))
}

/** True if the path is one of these or below one, by place or end. */
export function isAmong(found: PathEnd, directories: readonly string[], follow: FollowPath): boolean {
  const places = directories.flatMap(entry => placesOf(entry, follow))
  return [found.entry, found.end].some(path => places.some(place => isBelow(path, place)))
}
