import { parseObject } from '../../../src/core/outside-value.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { readOwnership } from '../../posix/marker.ts'
import { readSections, type Sections } from './unit-file.ts'

/** Section that systemd ignores, as its name begins with `X-`. */
const section = 'X-Reeve'
const title = /^[^\S\n]*\[X-Reeve\]\s*$/gm

/** Variable with `Definition.digest` of the definition that the process was started with. */
export const definitionVariable = 'REEVE_DEFINITION'

export function markerSections(ownership: Ownership): Sections {
  return { [section]: { Marker: [JSON.stringify(ownership)] } }
}

/** Digest of a definition without a process that could have it in its environment. */
export function digestSections(digest: string): Sections {
  return { [section]: { Definition: [digest] } }
}

/**
 * Marker in a unit file or drop-in, or undefined if there is none or it is unreadable. Reeve writes it last: anything before
 * it may be native text of a manifest, which must not claim anything.
 */
export function readMarker(text: string): Ownership | undefined {
  const start = [...text.matchAll(title)].at(-1)?.index
  if (start === undefined) return undefined
  const marker = readSections(text.slice(start))[section]?.Marker?.at(-1)
  if (marker === undefined) return undefined
  return readOwnership(parseObject(marker)) // undefined: it was edited
}
