import { bytesEqual, bytesOf } from './bytes.ts'
import type { Observed, ObservedFile } from './observed.ts'
import type { Definition } from './provider.ts'
import type { Target, TargetFile } from './target.ts'
import type { World } from './world.ts'

/** What on disk differs from what is declared. Content, mode and owner count; times don't (E12). */

export function definitionDiffers(target: Target, observed: Observed, world: World): boolean {
  const { definition, earlier } = target
  if (findSurplus(target, observed).length > 0) return true
  if (!definition || isOnDisk(definition, world)) return false
  return !earlier || !isOnDisk(earlier, world)
}

function isOnDisk({ files }: Definition, world: World): boolean {
  return files.every(({ path, content, mode }) => {
    const found = world.files.get(path)
    return found?.mode === mode && holds(found, content)
  })
}

/** What is there of an older definition, and in the declared one no more. */
export function findSurplus({ definition }: Target, observed: Observed): readonly string[] {
  if (!definition) return []
  const declared = new Set(definition.files.map(({ path }) => path))
  return (observed.definitionFiles ?? []).filter(path => !declared.has(path))
}

/** True if there is a definition in its place, whoever wrote it. */
export function definitionExists({ definition }: Target, world: World): boolean {
  return (definition?.files ?? []).some(({ path }) => isThere(world.files.get(path)))
}

/** True if there is one in its place that Reeve would write otherwise. */
export function otherDefinitionExists(definition: Definition, world: World): boolean {
  return definition.files.some(({ path, content }) => {
    const found = world.files.get(path)
    return isThere(found) && !holds(found, content)
  })
}

export function filesDiffer(target: Target, world: World): boolean {
  return target.files.some(file => fileDiffers(file, world.files.get(file.path)))
}

export function fileDiffers(file: TargetFile, found: ObservedFile | undefined): boolean {
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
