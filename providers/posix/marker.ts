import { isObject, isTextList } from '../../src/core/outside-value.ts'
import type { Ownership } from '../../src/core/state/observed.ts'

/** Parses a marker; undefined if it is unreadable. */
export function readOwnership(value: unknown): Ownership | undefined {
  if (!isObject(value)) return undefined
  const { owner, facility, files, dependsOn = [], prune = true, isAddition, meets, revision } = value
  if (typeof owner !== 'string' || typeof facility !== 'string' || typeof prune !== 'boolean') return undefined
  if (!isTextList(files) || !isTextList(dependsOn)) return undefined
  return {
    owner,
    facility,
    files,
    dependsOn,
    prune,
    ...(isAddition === true && { isAddition }),
    ...(isTextList(meets) && { meets }),
    ...(typeof revision === 'string' && { revision }),
  }
}
