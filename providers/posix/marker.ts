import type { Ownership } from '../../src/core/state/observed.ts'
import { isStrings, isTable } from './table.ts'

/** Parses a marker; undefined if it is unreadable. */
export function readOwnership(value: unknown): Ownership | undefined {
  if (!isTable(value)) return undefined
  const { owner, facility, files, dependsOn = [], prune = true, isAddition, meets } = value
  if (typeof owner !== 'string' || typeof facility !== 'string' || typeof prune !== 'boolean') return undefined
  if (!isStrings(files) || !isStrings(dependsOn)) return undefined
  return {
    owner,
    facility,
    files,
    dependsOn,
    prune,
    ...(isAddition === true && { isAddition }),
    ...(isStrings(meets) && { meets }),
  }
}
