import { addTo } from '../../core/list-map.ts'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { ParsedManifest } from '../parse/manifest-file.ts'

export interface LostDependencies {
  /** Files that remain. */
  readonly manifests: readonly ParsedManifest[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Takes out the files that depend on a facility which no file provides any more, those that depend on theirs, and so on: a
 * chain of thousands in one go. `lost` are the names that have just gone; `provided` those that last good states have.
 */
export function takeOutDependents(
  manifests: readonly ParsedManifest[],
  lost: Iterable<string>,
  providedInstead: (file: string) => readonly string[],
  provided: ReadonlySet<string>,
): LostDependencies {
  const here = new Set(manifests.flatMap(({ facilities }) => facilities.map(({ value }) => value.name)))
  const instead = new Set(provided)
  const dependents = indexDependents(manifests)
  const out = new Set<ParsedManifest>()
  const diagnostics: Diagnostic[] = []
  const queue = [...lost]
  for (const name of queue) {
    if (here.has(name) || instead.has(name)) continue
    for (const { manifest, declared, index } of dependents.get(name) ?? []) {
      const message = `${declared.value.name} depends on the facility "${name}", whose manifest is invalid`
      const path = ['spec', 'dependsOn', index]
      diagnostics.push(manifest.diagnose(declared, { code: 'unknown-dependency', message, path }))
      if (out.has(manifest)) continue
      out.add(manifest)
      for (const other of providedInstead(manifest.file)) instead.add(other)
      for (const { value } of manifest.facilities) {
        here.delete(value.name)
        queue.push(value.name)
      }
    }
  }
  return { manifests: manifests.filter(manifest => !out.has(manifest)), diagnostics }
}

interface Dependent {
  readonly manifest: ParsedManifest
  readonly declared: ParsedManifest['facilities'][number]
  /** In `spec.dependsOn`. */
  readonly index: number
}

function indexDependents(manifests: readonly ParsedManifest[]): Map<string, Dependent[]> {
  const dependents = new Map<string, Dependent[]>()
  for (const manifest of manifests) {
    for (const declared of manifest.facilities) {
      for (const [index, name] of declared.value.dependsOn.entries()) {
        addTo(dependents, name, { manifest, declared, index })
      }
    }
  }
  return dependents
}
