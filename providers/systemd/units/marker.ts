import type { Ownership } from '../../../src/core/state/observed.ts'
import { readOwnership } from '../../posix/marker.ts'
import { parseTable } from '../../posix/table.ts'
import { readSections, type Sections } from './unit-file.ts'

/** A section that systemd passes over, as its name begins with `X-`. */
const section = 'X-Reeve'
const title = /^[^\S\n]*\[X-Reeve\]\s*$/gm

export function markerSections(ownership: Ownership): Sections {
  return { [section]: { Marker: [JSON.stringify(ownership)] } }
}

/** The digest of a definition, where there is no process to have it in its environment. */
export function digestSections(digest: string): Sections {
  return { [section]: { Definition: [digest] } }
}

/**
 * The marker in a unit file or drop-in, or undefined if there is none that can be read. Reeve writes it last: whatever stands
 * before it may be native text of a manifest's, which must not claim anything.
 */
export function readMarker(text: string): Ownership | undefined {
  const start = [...text.matchAll(title)].at(-1)?.index
  if (start === undefined) return undefined
  const marker = readSections(text.slice(start))[section]?.Marker?.at(-1)
  if (marker === undefined) return undefined
  return readOwnership(parseTable(marker)) // undefined: somebody edited it
}
