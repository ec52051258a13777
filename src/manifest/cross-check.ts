import type { Diagnostic } from '../core/model/diagnostic.ts'
import type { Facility } from '../core/model/facility.ts'
import { rotationOf } from '../core/model/portable-fields.ts'
import { findOutputBeside } from '../core/state/output-places.ts'
import { cycleText, findCycles } from './dependency-cycle.ts'
import type { DiagnosticCode } from './diagnostic-code.ts'
import type { FacilityDraft } from './facility-draft.ts'
import type { FacilityResolver } from './facility-resolver.ts'
import { suggestionFor } from './field-suggestion.ts'
import type { Declared, ParsedManifest } from './manifest-file.ts'
import type { SupervisorManifest } from './manifest-set.ts'
import type { FieldPath, FieldProblem } from './problem.ts'

/** What a file contributes to the set. */
export interface Contribution {
  readonly facilities: readonly Facility[]
  readonly supervisors: readonly SupervisorManifest[]
}

export interface CrossCheckInput {
  /** Sorted by file. Of those with problems of their own, only the documents that have none are compared. */
  readonly manifests: readonly ParsedManifest[]
  /** What stands in for files that are invalid now. */
  readonly fallbacks: readonly Contribution[]
  /** Facilities that files declare which were taken out. */
  readonly invalidNames: ReadonlySet<string>
  /** Supervisors that do. */
  readonly invalidSupervisors: ReadonlySet<string>
  readonly resolver: FacilityResolver
  readonly maximumFacilities: number
}

export interface CrossCheckOutcome {
  /** Of each file without an error that shows here. */
  readonly contributions: ReadonlyMap<string, Contribution>
  /** Errors, by the file that they are shown in. */
  readonly diagnostics: ReadonlyMap<string, readonly Diagnostic[]>
  /** Files with an error, or with a part in one that is shown in another file. */
  readonly invalidFiles: ReadonlySet<string>
  readonly warnings: readonly Diagnostic[]
}

/** A declaration, and the file it stands in. */
interface Place<T> {
  readonly manifest: ParsedManifest
  readonly declared: Declared<T>
}

/** What can be told only by looking at all files together (PITFALLS 23). */
export function crossCheck(input: CrossCheckInput): CrossCheckOutcome {
  const { manifests, fallbacks, resolver } = input
  resolver.begin()
  const diagnostics = new Map<string, Diagnostic[]>()
  const invalidFiles = new Set<string>()
  const warnings: Diagnostic[] = []
  const report = ({ manifest, declared }: Place<unknown>, problem: FieldProblem): void => {
    if (problem.severity === 'warning') {
      warnings.push(manifest.diagnose(declared, problem))
      return
    }
    invalidFiles.add(manifest.file)
    const all = diagnostics.get(manifest.file) ?? []
    all.push(manifest.diagnose(declared, problem))
    diagnostics.set(manifest.file, all)
  }

  const supervisors = manifests.flatMap(manifest =>
    manifest.supervisors.map((declared): Place<SupervisorManifest> => ({ manifest, declared })),
  )
  checkSupervisors(supervisors, resolver, report)
  const known = new Map(fallbacks.flatMap(({ supervisors }) => supervisors.map(({ name, type }) => [name, type])))
  for (const { declared } of supervisors) known.set(declared.value.name, declared.value.type)

  const drafts = manifests.flatMap(manifest =>
    manifest.facilities.map((declared): Place<FacilityDraft> => ({ manifest, declared })),
  )
  const resolved = new Map<Declared<FacilityDraft>, Facility>()
  const places: (Place<FacilityDraft> & { readonly facility: Facility })[] = []
  for (const place of drafts) {
    const { facility, problems } = resolver.resolve(place.declared.value, known, input.invalidSupervisors)
    for (const problem of problems) report(place, problem)
    if (facility === undefined) continue
    resolved.set(place.declared, facility)
    places.push({ ...place, facility })
  }
  const doubled = checkNames(manifests, report)
  checkRenames(drafts, input, report)
  checkClaims(places, doubled, path => resolver.placeOfFile(path), report)
  const faulty = manifests.flatMap(manifest =>
    manifest.faulty.map((declared): Place<FacilityDraft> => ({ manifest, declared })),
  )
  checkFaulty(faulty, input, known, report)
  checkDependencies(places, faulty, input, report, invalidFiles)
  for (const place of places.slice(input.maximumFacilities)) {
    const message = `this is one more than the ${input.maximumFacilities} facilities that a host can have`
    report(place, { code: 'too-many-facilities', message, path: ['metadata', 'name'] })
  }

  const contributions = new Map<string, Contribution>()
  for (const manifest of manifests) {
    if (invalidFiles.has(manifest.file)) continue
    const facilities = manifest.facilities.flatMap(declared => resolved.get(declared) ?? [])
    contributions.set(manifest.file, { facilities, supervisors: manifest.supervisors.map(({ value }) => value) })
  }
  return { contributions, diagnostics, invalidFiles, warnings }
}

/** What the provider refuses in documents that have problems of their own. The policy judges only what is whole. */
function checkFaulty(
  places: readonly Place<FacilityDraft>[],
  { resolver, invalidSupervisors }: CrossCheckInput,
  supervisors: ReadonlyMap<string, string>,
  report: ReportProblem,
): void {
  for (const place of places) {
    for (const problem of resolver.resolve(place.declared.value, supervisors, invalidSupervisors).problems) {
      if (problem.code !== 'no-definition' && !problem.code.startsWith('policy-')) report(place, problem)
    }
  }
}

type ReportProblem = (place: Place<unknown>, problem: FieldProblem) => void

function checkSupervisors(
  places: readonly Place<SupervisorManifest>[],
  resolver: FacilityResolver,
  report: ReportProblem,
): void {
  const seen = new Map<string, Claim>()
  const located = new Map<string, Claim>()
  const path = ['metadata', 'name']
  for (const place of places) {
    const { value } = place.declared
    const problems = resolver.checkSupervisor(value)
    for (const problem of problems) report(place, problem)
    const isNew = reportTwice(
      seen,
      value.name,
      place,
      `supervisor "${value.name}"`,
      'duplicate-supervisor',
      path,
      report,
    )
    const where = isNew && problems.length === 0 ? resolver.placeOf(value) : undefined
    if (where === undefined) continue
    // Each of the two would find the other's services, declared for it by nobody.
    const what = `${where}, which can have one name only,`
    reportTwice(located, where, place, what, 'duplicate-supervisor', path, report)
  }
}

/** Of all facilities, also of those whose documents are invalid. Gives the ones whose name another has before them. */
function checkNames(manifests: readonly ParsedManifest[], report: ReportProblem): ReadonlySet<Declared<unknown>> {
  const doubled = new Set<Declared<unknown>>()
  const seen = new Map<string, Claim>()
  for (const manifest of manifests) {
    const names = [
      ...manifest.facilities.map(declared => ({ declared, name: declared.value.name })),
      ...manifest.invalid.map(declared => ({ declared, name: declared.value })),
    ]
    for (const { declared, name } of names.sort((a, b) => a.declared.document - b.declared.document)) {
      const place = { manifest, declared }
      const path = ['metadata', 'name']
      const isNew = reportTwice(seen, name, place, `facility "${name}"`, 'duplicate-facility', path, report)
      if (!isNew) doubled.add(declared)
    }
  }
  return doubled
}

/** A former name is nobody's name now, and one facility's former name only. */
function checkRenames(places: readonly Place<FacilityDraft>[], input: CrossCheckInput, report: ReportProblem): void {
  const declared = new Set(input.invalidNames)
  for (const { facilities } of input.fallbacks) for (const { name } of facilities) declared.add(name)
  for (const { declared: one } of places) declared.add(one.value.name)
  const seen = new Map<string, Place<FacilityDraft>>()
  const path = ['metadata', 'renamedFrom']
  for (const place of places) {
    const { name, renamedFrom } = place.declared.value
    if (renamedFrom === undefined) continue
    if (renamedFrom === name) {
      report(place, { code: 'invalid-rename', message: `facility "${name}" can't be renamed from itself`, path })
    } else if (declared.has(renamedFrom)) {
      const message = `facility "${renamedFrom}" is still declared: remove its manifest, or leave renamedFrom out`
      report(place, { code: 'invalid-rename', message, path })
    } else {
      reportTwice(seen, renamedFrom, place, `former name "${renamedFrom}"`, 'invalid-rename', path, report)
    }
  }
}

/** What two facilities of different names claim. */
function checkClaims(
  places: readonly (Place<FacilityDraft> & { readonly facility: Facility })[],
  doubled: ReadonlySet<Declared<unknown>>,
  placeOf: (path: string) => string,
  report: ReportProblem,
): void {
  const services = new Map<string, Claim>()
  const paths = new Map<string, FileClaim>()
  for (const place of places) {
    const { service, supervisor } = place.facility
    if (!doubled.has(place.declared)) {
      const what = `service "${service}" of supervisor ${supervisor}`
      const path = ['spec', 'serviceName']
      reportTwice(services, `${supervisor}\n${service}`, place, what, 'duplicate-service', path, report)
    }
    for (const { target, path } of writtenPaths(place.facility)) {
      const file = { target, facility: place.facility.name }
      reportFileTwice(paths, placeOf(target), { ...place, path, file }, report)
    }
  }
  checkBesideOutputs(places, paths, placeOf, report)
}

/** An output is moved over whatever is at `FILE.1`, `FILE.2` … as it is rotated, or kept in `FILE.d`. */
function checkBesideOutputs(
  places: readonly (Place<FacilityDraft> & { readonly facility: Facility })[],
  paths: ReadonlyMap<string, Claim>,
  placeOf: (path: string) => string,
  report: ReportProblem,
): void {
  const kept = new Map<string, number>()
  for (const { facility } of places) {
    const output = facility.process?.output
    if (output === undefined || output.file === '/dev/null') continue
    const at = placeOf(output.file)
    kept.set(at, Math.max(rotationOf(output).keep, kept.get(at) ?? 0))
  }
  for (const place of places) {
    for (const { target, path } of writtenPaths(place.facility)) {
      const file = findOutputBeside(placeOf(target), output => kept.get(output))
      const claim = file === undefined ? undefined : paths.get(file)
      if (claim === undefined) continue
      const seen = new Map<string, Claim>([[target, claim]])
      reportTwice(seen, target, { ...place, path }, `path "${target}"`, 'duplicate-path', path, report)
    }
  }
}

interface WrittenPath {
  readonly target: string
  readonly path: FieldPath
}

/** What a facility writes: its files, and its output, which is rotated besides. */
export function writtenPaths(facility: Facility): WrittenPath[] {
  const written: WrittenPath[] = facility.files.map((file, index) => ({
    target: file.path,
    path: ['spec', 'files', index, 'path'],
  }))
  const output = facility.process?.output
  // The one device that output may go to is anybody's.
  if (output !== undefined && output.file !== '/dev/null')
    written.push({ target: output.file, path: ['spec', 'process', 'output', 'file'] })
  return written
}

interface Claim extends Place<unknown> {
  readonly path?: FieldPath
  /** True: that others claim the same stands in the diagnostics of its file. */
  readonly isReported?: boolean
}

/** Reports a second claim of `key` at both places. True: it is the first. */
function reportTwice<T extends Claim>(
  seen: Map<string, T>,
  key: string,
  place: T,
  what: string,
  code: DiagnosticCode,
  path: FieldPath,
  report: ReportProblem,
): boolean {
  const first = seen.get(key)
  if (first === undefined) {
    seen.set(key, place)
    return true
  }
  const firstPath = first.path ?? path
  const problem = { code, path, message: '' }
  const there = first.manifest.diagnose(first.declared, { ...problem, path: firstPath })
  const here = place.manifest.diagnose(place.declared, problem)
  const say = (other: Diagnostic): string =>
    `the ${what} is also claimed at ${other.file}:${other.line}:${other.column}`
  report(place, { ...problem, message: say(there) })
  // Of thousands that claim the same, the first names one.
  if (!first.isReported) report(first, { ...problem, path: firstPath, message: say(here) })
  seen.set(key, { ...first, isReported: true })
  return false
}

/** A file that a facility writes, by the path that it has for it. */
interface FileClaim extends Claim {
  readonly path: FieldPath
  readonly file: { readonly target: string; readonly facility: string }
}

/** As `reportTwice`, of files, which are one by where their paths lead. */
function reportFileTwice(seen: Map<string, FileClaim>, at: string, place: FileClaim, report: ReportProblem): void {
  const { target, facility } = place.file
  const first = seen.get(at)?.file
  const what =
    first === undefined || first.target === target
      ? `path "${target}"`
      : `file ${at}, to which "${target}" of facility ${facility} and "${first.target}" of facility ${first.facility} lead,`
  reportTwice(seen, at, place, what, 'duplicate-path', place.path, report)
}

/** So many unknown names are compared with all others, to find what was meant: it takes milliseconds each. */
const mostHints = 20

function checkDependencies(
  places: readonly (Place<FacilityDraft> & { readonly facility: Facility })[],
  faulty: readonly Place<FacilityDraft>[],
  input: CrossCheckInput,
  report: ReportProblem,
  invalidFiles: Set<string>,
): void {
  const graph = new Map<string, readonly string[]>()
  for (const { facilities } of input.fallbacks) for (const { name, dependsOn } of facilities) graph.set(name, dependsOn)
  const byName = new Map<string, Place<FacilityDraft> & { readonly facility: Facility }>()
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
    // One error for all of them, where the circle that it shows begins.
    const at = cycle.shown.findIndex(name => byName.has(name))
    const place = byName.get(cycle.shown[at] ?? '') ?? places[0]
    if (place === undefined) continue
    const next = cycle.shown[(at + 1) % cycle.shown.length] ?? ''
    const path = ['spec', 'dependsOn', Math.max(0, place.facility.dependsOn.indexOf(next))]
    const message = `facilities depend on each other: ${cycleText(cycle)}`
    report(place, { code: 'dependency-cycle', message, path })
  }
}

/** In a file that is invalid anyhow: what is wrong with the dependency is all there is to mend. */
function isToldAlready(manifest: ParsedManifest, dependency: string, { invalidNames }: CrossCheckInput): boolean {
  return manifest.diagnostics.length > 0 && invalidNames.has(dependency)
}

function unknownDependency(name: string, dependency: string, known: readonly string[], input: CrossCheckInput): string {
  const start = `${name} depends on the facility "${dependency}"`
  if (input.invalidNames.has(dependency)) return `${start}, whose manifest is invalid`
  const hint = suggestionFor(dependency, known)
  return `${start}, which no manifest declares${hint}`
}
