import { addTo } from '../../core/list-map.ts'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { FieldPath, FieldProblem } from '../diagnostics/problem.ts'
import type { SupervisorManifest } from '../manifest-set.ts'
import type { FacilityDraft } from '../parse/facility-draft.ts'
import type { Declared, ParsedManifest } from '../parse/manifest-file.ts'
import { createClaims, type Place, type ReportProblem } from './claim.ts'
import { checkDependencies } from './dependency-check.ts'
import type { FacilityResolver } from './facility-resolver.ts'
import { checkWrittenFiles, type FacilityPlace } from './written-file-check.ts'

/** Declarations that a file adds to the set. */
export interface Contribution {
  readonly facilities: readonly Facility[]
  readonly supervisors: readonly SupervisorManifest[]
}

export interface CrossCheckInput {
  /** Manifests, sorted by file. Documents with problems of their own aren't compared. */
  readonly manifests: readonly ParsedManifest[]
  /** Last good declarations of files that are invalid now. */
  readonly fallbacks: readonly Contribution[]
  /** Names of facilities in files that were taken out. */
  readonly invalidNames: ReadonlySet<string>
  /** Names of supervisors in such files. */
  readonly invalidSupervisors: ReadonlySet<string>
  readonly resolver: FacilityResolver
  readonly maximumFacilities: number
}

export interface CrossCheckOutcome {
  /** Contributions of files in which this check found no error. */
  readonly contributions: ReadonlyMap<string, Contribution>
  /** Errors by the file that they are shown in. */
  readonly diagnostics: ReadonlyMap<string, readonly Diagnostic[]>
  /** Files with an error, or with a part in one that is shown in another file. */
  readonly invalidFiles: ReadonlySet<string>
  readonly warnings: readonly Diagnostic[]
}

const namePath: FieldPath = ['metadata', 'name']

/** Checks that need all files together (PITFALLS 23). */
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
    addTo(diagnostics, manifest.file, manifest.diagnose(declared, problem))
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
  const places: FacilityPlace[] = []
  for (const place of drafts) {
    const { facility, problems } = resolver.resolve(place.declared.value, known, input.invalidSupervisors)
    for (const problem of problems) report(place, problem)
    if (facility === undefined) continue
    resolved.set(place.declared, facility)
    places.push({ facility, ...place })
  }
  const doubled = checkNames(manifests, report)
  checkRenames(drafts, input, report)
  checkServices(places, doubled, report)
  checkWrittenFiles(places, path => resolver.placeOfFile(path), report)
  const faulty = manifests.flatMap(manifest =>
    manifest.faulty.map((declared): Place<FacilityDraft> => ({ manifest, declared })),
  )
  checkFaulty(faulty, input, known, report)
  checkDependencies(places, faulty, input, report, invalidFiles)
  for (const place of places.slice(input.maximumFacilities)) {
    const message = `this is one more than the ${input.maximumFacilities} facilities that a host can have`
    report(place, { code: 'too-many-facilities', message, path: namePath })
  }

  const contributions = new Map<string, Contribution>()
  for (const manifest of manifests) {
    if (invalidFiles.has(manifest.file)) continue
    const facilities = manifest.facilities.flatMap(declared => resolved.get(declared) ?? [])
    contributions.set(manifest.file, { facilities, supervisors: manifest.supervisors.map(({ value }) => value) })
  }
  return { contributions, diagnostics, invalidFiles, warnings }
}

/** Provider checks of documents that have other problems. The policy judges only complete documents. */
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

function checkSupervisors(
  places: readonly Place<SupervisorManifest>[],
  resolver: FacilityResolver,
  report: ReportProblem,
): void {
  const names = createClaims('duplicate-supervisor', report)
  const located = createClaims('duplicate-supervisor', report)
  for (const place of places) {
    const { value } = place.declared
    const claim = { ...place, path: namePath }
    const problems = resolver.checkSupervisor(value)
    for (const problem of problems) report(place, problem)
    const isNew = names.add(value.name, claim, () => `supervisor "${value.name}"`)
    const where = isNew && problems.length === 0 ? resolver.placeOf(value) : undefined
    // Each of the two would take the other's services for orphans.
    if (where !== undefined) located.add(where, claim, () => `${where}, which can have one name only,`)
  }
}

/** Checks the names of all facilities, valid or not. Returns those whose name an earlier one has. */
function checkNames(manifests: readonly ParsedManifest[], report: ReportProblem): ReadonlySet<Declared<unknown>> {
  const doubled = new Set<Declared<unknown>>()
  const claims = createClaims('duplicate-facility', report)
  for (const manifest of manifests) {
    const names = [
      ...manifest.facilities.map(declared => ({ declared, name: declared.value.name })),
      ...manifest.invalid.map(declared => ({ declared, name: declared.value })),
    ]
    for (const { declared, name } of names.sort((a, b) => a.declared.document - b.declared.document)) {
      const isNew = claims.add(name, { manifest, declared, path: namePath }, () => `facility "${name}"`)
      if (!isNew) doubled.add(declared)
    }
  }
  return doubled
}

/** A former name must not be declared any more, and belongs to one facility only. */
function checkRenames(places: readonly Place<FacilityDraft>[], input: CrossCheckInput, report: ReportProblem): void {
  const declared = new Set(input.invalidNames)
  for (const { facilities } of input.fallbacks) for (const { name } of facilities) declared.add(name)
  for (const { declared: one } of places) declared.add(one.value.name)
  const claims = createClaims('invalid-rename', report)
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
      claims.add(renamedFrom, { ...place, path }, () => `former name "${renamedFrom}"`)
    }
  }
}

/** Two facilities of different names must not be one service. */
function checkServices(
  places: readonly FacilityPlace[],
  doubled: ReadonlySet<Declared<unknown>>,
  report: ReportProblem,
): void {
  const services = createClaims('duplicate-service', report)
  for (const place of places) {
    if (doubled.has(place.declared)) continue
    const { service, supervisor } = place.facility
    const claim = { path: ['spec', 'serviceName'], ...place }
    services.add(`${supervisor}\n${service}`, claim, () => `service "${service}" of supervisor ${supervisor}`)
  }
}
