import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import { parseJson } from '../../core/outside-value.ts'
import { readTrusted } from '../../host/trusted-reading.ts'
import type { OutputPosition } from './output-relay.ts'

const fileName = 'output-positions.json'

/** Empty if they cannot be read: then a little output is relayed twice. */
export function readPositions(stateDirectory: string, host: ReadHost): ReadonlyMap<string, OutputPosition> {
  const positions = new Map<string, OutputPosition>()
  const path = join(stateDirectory, fileName)
  for (const entry of parseList(readTrusted(path, host) ?? '[]')) {
    const [file, inode, offset] = Array.isArray(entry) ? entry : []
    if (typeof file === 'string' && Number.isSafeInteger(inode) && Number.isSafeInteger(offset) && offset >= 0) {
      positions.set(file, { inode, offset })
    }
  }
  return positions
}

export function writePositions(
  stateDirectory: string,
  positions: ReadonlyMap<string, OutputPosition>,
  host: WriteHost,
): void {
  const list = [...positions].map(([file, { inode, offset }]) => [file, inode, offset])
  host.writeFile(join(stateDirectory, fileName), `${JSON.stringify(list)}\n`, { mode: 0o600, isFleeting: true })
}

function parseList(text: string): readonly unknown[] {
  const value = parseJson(text)
  return Array.isArray(value) ? value : []
}
