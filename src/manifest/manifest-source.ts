import { resolve } from 'node:path'
import type { Diagnostic } from '../core/model/diagnostic.ts'
import type { Facility } from '../core/model/facility.ts'
import { compareText } from '../core/text/text-order.ts'
import { type Contribution, crossCheck } from './check/cross-check.ts'
import { findCycles } from './check/dependency-cycle.ts'
import { createFacilityResolver } from './check/facility-resolver.ts'
import { takeOutDependents } from './check/lost-dependency.ts'
import { writtenPaths } from './check/written-file-check.ts'
import { limitDiagnostics } from './diagnostics/diagnostic-limit.ts'
import { diagnoseFile, sortDiagnostics } from './diagnostics/problem.ts'
import type { ManifestOptions } from './manifest-options.ts'
import type { ManifestSet, SupervisorManifest } from './manifest-set.ts'
import type { ParsedManifest } from './parse/manifest-file.ts'
import { localFiles } from './read/manifest-files.ts'
import { createManifestReader, type DirectoryReading } from './read/manifest-reader.ts'
import { isInside, missingDirectory } from './read/manifest-snapshot.ts'

/**
 * Reads a directory of manifests again and again. A file that is invalid now counts with its last good facilities
 * (E10), and a file is parsed once per content.
 */
export interface ManifestSource {
  /** Reads the directory. Mistakes in it are in `diagnostics`; none of them throws. */
  read(): ManifestSet
}

const maximumFacilities = 10_000

export function createManifestSource(options: ManifestOptions): ManifestSource {
  const readDirectory = createManifestReader({
    directory: options.directory,
    readFrom: options.readFrom ?? options.directory,
    missing: options.missing ?? missingDirectory(options.directory, options.directoryOrigin),
    files: options.files ?? localFiles,
    parseCache: options.parseCache,
    memory: options.memory,
    ...(options.runsAsRoot === true && options.insecurePermissions !== true && { trustedUser: 0 }),
  })
  const resolver = createFacilityResolver(options)
  /** Last good declarations of each file. */
  const good = new Map<string, Contribution>()

  return {
    read() {
      const reading = readDirectory()
      const diagnostics = [...reading.diagnostics]
      if (!reading.isStable && reading.diagnostics.length === 0) {
        const message =
          'the directory kept changing while it was read; nothing is removed, and the next pass reads it again'
        diagnostics.push(diagnoseFile(options.directory, 'directory-changing', message))
      }
      forgetDeleted(good, reading)

      diagnostics.push(...reading.manifests.flatMap(manifest => manifest.diagnostics))
      const invalidNames = new Set(reading.manifests.flatMap(manifest => manifest.invalid.map(({ value }) => value)))
      const invalidSupervisors = new Set(reading.manifests.flatMap(manifest => manifest.invalidSupervisors))
      // The first round looks at files with problems of their own too, so that everything wrong with them is said at once.
      // What one file claims can invalidate another, which then counts with its last good state, and so on: every
      // further round takes at least one file out.
      let manifests = reading.manifests
      let valid = manifests.filter(manifest => manifest.diagnostics.length === 0)
      for (;;) {
        const fallbacks = fallbacksFor(valid, good)
        const outcome = crossCheck({
          manifests,
          fallbacks,
          invalidNames,
          invalidSupervisors,
          resolver,
          maximumFacilities,
        })
        if (outcome.invalidFiles.size === 0 && valid.length === manifests.length) {
          for (const [file, contribution] of outcome.contributions) good.set(file, contribution)
          diagnostics.push(...outcome.warnings)
          return {
            ...merge([...outcome.contributions.values()], fallbacks),
            diagnostics: sortDiagnostics(limitDiagnostics(sortDiagnostics(distinct(diagnostics)), options.directory)),
            complete: !diagnostics.some(diagnostic => diagnostic.severity === 'error'),
            revision: reading.root,
          }
        }
        for (const found of outcome.diagnostics.values()) diagnostics.push(...found)
        valid = valid.filter(manifest => !outcome.invalidFiles.has(manifest.file))
        const lost = takeOutDependents(
          valid,
          namesOf(manifests),
          file => (good.get(file)?.facilities ?? []).map(({ name }) => name),
          new Set(fallbacksFor(valid, good).flatMap(({ facilities }) => facilities.map(({ name }) => name))),
        )
        diagnostics.push(...lost.diagnostics)
        valid = [...lost.manifests]
        const remaining = new Set(valid)
        const taken = manifests.filter(manifest => !remaining.has(manifest))
        for (const { value } of taken.flatMap(manifest => manifest.facilities)) invalidNames.add(value.name)
        for (const { value } of taken.flatMap(manifest => manifest.supervisors)) invalidSupervisors.add(value.name)
        manifests = valid
      }
    },
  }
}

function namesOf(manifests: readonly ParsedManifest[]): string[] {
  return manifests.flatMap(({ facilities }) => facilities.map(({ value }) => value.name))
}

/** Reads the directory once and returns only the facilities of valid files. */
export function loadManifests(options: ManifestOptions): ManifestSet {
  return createManifestSource(options).read()
}

/** True if the file is certainly gone. */
function forgetDeleted(good: Map<string, Contribution>, reading: DirectoryReading): void {
  if (!reading.isStable) return
  const present = new Set(reading.manifests.map(manifest => manifest.file))
  for (const file of good.keys()) {
    if (present.has(file)) continue
    if (!reading.unknown.some(path => isInside(resolve(file), path))) good.delete(file)
  }
}

function fallbacksFor(manifests: readonly ParsedManifest[], good: ReadonlyMap<string, Contribution>): Contribution[] {
  const valid = new Set(manifests.map(manifest => manifest.file))
  return [...good].filter(([file]) => !valid.has(file)).map(([, contribution]) => contribution)
}

/** Where both claim the same, the valid declaration wins over a last good one. */
function merge(
  current: readonly Contribution[],
  fallbacks: readonly Contribution[],
): { facilities: Facility[]; supervisors: SupervisorManifest[] } {
  const claimed = new Set<string>()
  const facilities: Facility[] = []
  for (const facility of current.flatMap(contribution => contribution.facilities)) {
    for (const claim of claimsOf(facility)) claimed.add(claim)
    facilities.push(facility)
  }
  const kept: Facility[] = []
  for (const facility of fallbacks.flatMap(contribution => contribution.facilities)) {
    const claims = claimsOf(facility)
    if (claims.some(claim => claimed.has(claim))) continue
    for (const claim of claims) claimed.add(claim)
    kept.push(facility)
  }
  facilities.push(...withoutCycles(kept, facilities))

  const supervisors = new Map<string, SupervisorManifest>()
  for (const contribution of [...current, ...fallbacks]) {
    for (const supervisor of contribution.supervisors) {
      if (!supervisors.has(supervisor.name)) supervisors.set(supervisor.name, supervisor)
    }
  }
  return {
    facilities: facilities.sort((a, b) => compareText(a.name, b.name)),
    supervisors: [...supervisors.values()].sort((a, b) => compareText(a.name, b.name)),
  }
}

function claimsOf(facility: Facility): string[] {
  const { name, supervisor, service } = facility
  const paths = writtenPaths(facility).map(({ target }) => `path ${target}`)
  return [`name ${name}`, `service ${supervisor} ${service}`, ...paths]
}

/** Last good states from different times can form a dependency cycle. */
function withoutCycles(kept: readonly Facility[], current: readonly Facility[]): Facility[] {
  const graph = new Map([...current, ...kept].map(facility => [facility.name, facility.dependsOn]))
  const onCycle = new Set(findCycles(graph).flatMap(({ members }) => members))
  return kept.filter(facility => !onCycle.has(facility.name))
}

function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Map(diagnostics.map(diagnostic => [JSON.stringify(diagnostic), diagnostic]))
  return [...seen.values()]
}
