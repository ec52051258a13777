import { join } from 'node:path'
import type { Ownership } from '../../src/core/observed.ts'
import type { ReadHost } from '../../src/core/provider.ts'
import type { UnitFile } from './disk.ts'
import type { Layout } from './layout.ts'
import { readMarker } from './marker.ts'
import { definitionVariable } from './records.ts'

/** What Reeve has written for a unit: the unit itself, or drop-ins for somebody else's. */
export interface Written {
  readonly path: string
  readonly ownership: Ownership
  /** The digest that a process gets to tell. */
  readonly definition: string | undefined
}

export function findWritten(
  unit: string,
  file: UnitFile,
  { unitDirectory }: Layout,
  host: ReadHost,
): Written | undefined {
  if (file.kind === 'found' && file.ownership) {
    return { path: file.path, ownership: file.ownership, definition: definitionOf(file.text) }
  }
  const directory = join(unitDirectory, `${unit}.d`)
  const dropIns = (host.readDirectory(directory) ?? []).flatMap(name => {
    const path = join(directory, name)
    return readWritten(path, host.readText(path) ?? '') ?? []
  })
  return dropIns.find(({ definition }) => definition !== undefined) ?? dropIns[0]
}

function readWritten(path: string, text: string): Written | undefined {
  const ownership = readMarker(text)
  return ownership && { path, ownership, definition: definitionOf(text) }
}

/** The digest that stands in a unit's text. */
function definitionOf(text: string): string | undefined {
  return new RegExp(`^Environment=${definitionVariable}=([0-9a-f]{64})$`, 'm').exec(text)?.[1]
}
