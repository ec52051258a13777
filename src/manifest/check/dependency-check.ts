import type { Facility } from '../../core/model/facility.ts'
import { suggestionFor } from '../diagnostics/field-suggestion.ts'
import type { FacilityDraft } from '../parse/facility-draft.ts'
import type { ParsedManifest } from '../parse/manifest-file.ts'
import type { Place, ReportProblem } from './claim.ts'
import { cycleText, findCycles } from './dependency-cycle.ts'
import type { FacilityPlace } from './written-file-check.ts'

/** Number of unknown names that get a suggestion: each takes milliseconds to find. */
const mostHints = 20

/** Declarations besides the facilities that are checked. */
interface DeclaredElsewhere {
  readonly fallbacks: readonly { readonly facilities: readonly Facility[] }[]
  readonly invalidNames: ReadonlySet<string>
}

/** Every dependency must be declared, and none may lead back to its facility. */
export function checkDependencies(
  places: readonly FacilityPlace[],
  faulty: readonly Place<FacilityDraft>[],
  input: DeclaredElsewhere,
  report: ReportProblem,
  invalidFiles: Set<string>,
): void {
  const graph = new Map<string, readonly string[]>()
  for (const { facilities } of input.fallbacks) for (const { name, dependsOn } of facilities) graph.set(name, dependsOn)
  const byName = new Map<string, FacilityPlace>()
  for (const place of places) {
    graph.set(place.facility.name, place.facility.dependsOn)
    byName.set(place.facility.name, place)
  }
  let hints = mostHints
  for (const place of [...places, ...faulty]) {
    const { name, dependsOn } = place.declared.value
    for (const [index, dependency] of dependsOn.entries()) {
      const path = ['spec', 'dependsOn', index]
      if (dependency === name) {
        report(place, { code: 'dependency-cycle', message: `${name} depends on itself`, path })
      } else if (!graph.has(dependency) && !isToldAlready(place.manifest, dependency, input)) {
        const known = hints > 0 ? [...graph.keys()] : []
        hints -= 1
        report(place, { code: 'unknown-dependency', message: unknownDependency(name, dependency, known, input), path })
      }
    }
  }
  for (const cycle of findCycles(graph)) {
    const places = cycle.members.flatMap(name => byName.get(name) ?? [])
    for (const { manifest } of places) invalidFiles.add(manifest.file)
    // One error for the whole cycle, at the facility that the message starts with.
    const at = cycle.shown.findIndex(name => byName.has(name))
    const place = byName.get(cycle.shown[at] ?? '') ?? places[0]
    if (place === undefined) continue
    const next = cycle.shown[(at + 1) % cycle.shown.length] ?? ''
    const path = ['spec', 'dependsOn', Math.max(0, place.facility.dependsOn.indexOf(next))]
    const message = `facilities depend on each other: ${cycleText(cycle)}`
    report(place, { code: 'dependency-cycle', message, path })
  }
}

/** True if this file is invalid anyway and the errors of the dependency are reported. */
function isToldAlready(manifest: ParsedManifest, dependency: string, { invalidNames }: DeclaredElsewhere): boolean {
  return manifest.diagnostics.length > 0 && invalidNames.has(dependency)
}

function unknownDependency(
  name: string,
  dependency: string,
  known: readonly string[],
  input: DeclaredElsewhere,
): string {
  const start = `${name} depends on the facility "${dependency}"`
  if (input.invalidNames.has(dependency)) return `${start}, whose manifest is invalid`
  const hint = suggestionFor(dependency, known)
  return `${start}, which no manifest declares${hint}`
}
