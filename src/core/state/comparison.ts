import type { Definition } from '../model/definition.ts'
import type { ResolvedFacility, ResolvedFile } from '../model/resolved-facility.ts'
import { bytesEqual, bytesOf, textOf } from '../text/bytes.ts'
import type { Observed, ObservedFile } from './observed.ts'
import { isSameButMark } from './revision-mark.ts'
import type { Snapshot } from './snapshot.ts'

/** Differences between disk and declared state. Content, mode and owner count; times don't (E12). */

export function definitionDiffers(
  target: ResolvedFacility,
  observed: Observed,
  snapshot: Pick<Snapshot, 'files'>,
): boolean {
  const { definition, earlier, mark } = target
  if (findSurplus(target, observed).length > 0) return true
  if (!definition || isOnDisk(definition, snapshot, mark)) return false
  return !earlier || !isOnDisk(earlier, snapshot)
}

function isOnDisk({ files }: Definition, snapshot: Pick<Snapshot, 'files'>, mark?: string): boolean {
  return files.every(({ path, content, mode }) => {
    const found = snapshot.files.get(path)
    if (found?.mode !== mode) return false
    return holds(found, content) || (mark !== undefined && holdsButMark(found, content, mark))
  })
}

function holdsButMark({ content }: ObservedFile, wanted: string, mark: string): boolean {
  const text = content && textOf(content)
  return text !== undefined && isSameButMark(text, wanted, mark)
}

/** Files of an older definition that the declared one lacks. */
export function findSurplus({ definition }: ResolvedFacility, observed: Observed): readonly string[] {
  if (!definition) return []
  const declared = new Set(definition.files.map(({ path }) => path))
  return (observed.definitionFiles ?? []).filter(path => !declared.has(path))
}

/** True if a definition exists, whoever wrote it. */
export function definitionExists({ definition }: ResolvedFacility, snapshot: Snapshot): boolean {
  return (definition?.files ?? []).some(({ path }) => isThere(snapshot.files.get(path)))
}

/** True if the existing definition differs from the declared one. */
export function otherDefinitionExists(definition: Definition, snapshot: Snapshot): boolean {
  return definition.files.some(({ path, content }) => {
    const found = snapshot.files.get(path)
    return isThere(found) && !holds(found, content)
  })
}

export function filesDiffer(target: ResolvedFacility, snapshot: Snapshot): boolean {
  return target.files.some(file => fileDiffers(file, snapshot.files.get(file.path)))
}

export function fileDiffers(file: ResolvedFile, found: ObservedFile | undefined): boolean {
  if (!found?.content) return true
  return (
    found.mode !== file.mode ||
    found.uid !== file.uid ||
    found.gid !== file.gid ||
    !bytesEqual(found.content, file.content)
  )
}

function isThere(found: ObservedFile | undefined): found is ObservedFile {
  return found !== undefined && found.kind !== 'absent'
}

function holds(found: ObservedFile, text: string): boolean {
  return found.content !== undefined && bytesEqual(found.content, bytesOf(text))
}
