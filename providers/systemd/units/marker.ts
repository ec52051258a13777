import type { Ownership } from '../../../src/core/state/observed.ts'
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
  try {
    return toOwnership(JSON.parse(marker))
  } catch {
    return undefined // somebody edited it
  }
}

function toOwnership(value: unknown): Ownership | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { owner, facility, files, dependsOn, prune, isAddition, meets }: Partial<Record<keyof Ownership, unknown>> =
    value
  if (typeof owner !== 'string' || typeof facility !== 'string' || typeof prune !== 'boolean') return undefined
  if (!isTexts(files) || !isTexts(dependsOn)) return undefined
  const known = { owner, facility, files, dependsOn, prune, ...(isTexts(meets) && { meets }) }
  return isAddition === true ? { ...known, isAddition } : known
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}
