import type { Definition } from '../../src/core/model/definition.ts'
import { parseObject } from '../../src/core/outside-value.ts'
import type { Ownership } from '../../src/core/state/observed.ts'
import { sha256 } from '../../src/host/sha256.ts'
import { readOwnership } from './marker.ts'

/** A file of a definition, without its marker. */
export interface DefinitionText {
  readonly path: string
  readonly text: string
  readonly mode: number
}

/**
 * Definition of text files for a supervisor that skips lines which begin with `comment`: the first line of each file is the marker,
 * `# reeve: {…}`, and the digest is over all other lines.
 */
export function defineTexts(texts: readonly DefinitionText[], ownership: Ownership, comment = '#'): Definition {
  const marker = `${comment} reeve: ${JSON.stringify(ownership)}\n`
  return {
    files: texts.map(({ path, text, mode }) => ({ path, content: marker + text, mode })),
    digest: digestOf(texts.map(({ text }) => text)),
  }
}

/** Marker and digest of a definition as it is on the host: its files in the order of `defineTexts`. Undefined: the first is missing. */
export function readTexts(
  contents: readonly (string | undefined)[],
  comment = '#',
): { readonly ownership?: Ownership; readonly digest: string } | undefined {
  const [first] = contents
  if (first === undefined) return undefined
  const start = `${comment} reeve: `
  const afterMarker = (content: string): number => (content.startsWith(start) ? content.indexOf('\n') + 1 : 0)
  const ownership = readOwnership(parseObject(first.slice(start.length, afterMarker(first))))
  const digest = digestOf(contents.map((content = '') => content.slice(afterMarker(content))))
  return { digest, ...(ownership && { ownership }) }
}

function digestOf(texts: readonly string[]): string {
  return sha256(JSON.stringify(texts))
}
