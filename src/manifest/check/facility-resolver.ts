import { resolve } from 'node:path'
import { lookUp } from '../../core/dictionary.ts'
import type { Facility } from '../../core/model/facility.ts'
import { createPathFollower, lookupIn } from '../../core/paths/path-permissions.ts'
import type { FollowPath } from '../../core/paths/path-rule.ts'
import { checkPolicy, checkSupervisorPolicy, usualPlaces } from '../../core/policy/policy.ts'
import { asWritten, type PlaceFinder } from '../../core/state/place.ts'
import { suggestionFor } from '../diagnostics/field-suggestion.ts'
import type { FieldProblem } from '../diagnostics/problem.ts'
import type { ManifestOptions } from '../manifest-options.ts'
import type { SupervisorManifest } from '../manifest-set.ts'
import { placeSources } from '../parse/config-source.ts'
import type { FacilityDraft } from '../parse/facility-draft.ts'
import { localFiles, type ManifestFiles } from '../read/manifest-files.ts'
import { createNativeCheck } from '../schema/native-check.ts'
import { digestOf } from './digest.ts'

/** Resolver: completes a draft with its supervisor's type and all that depends on it. */
export interface FacilityResolver {
  /** Starts a new reading: links are followed again. */
  begin(): void
  /**
   * `supervisors` gives the type of each declared one; `invalidSupervisors`: the names of those that aren't valid. Without a
   * facility there is at least one problem.
   */
  resolve(
    draft: FacilityDraft,
    supervisors: ReadonlyMap<string, string>,
    invalidSupervisors: ReadonlySet<string>,
  ): FacilityResolution
  checkSupervisor(supervisor: SupervisorManifest): readonly FieldProblem[]
  /** Place of a valid supervisor, in words. Undefined: no other supervisor can be the same. */
  placeOf(supervisor: SupervisorManifest): string | undefined
  /** Resolved place of a file that a facility writes. */
  placeOfFile(path: string): string
}

export interface FacilityResolution {
  readonly facility?: Facility
  readonly problems: readonly FieldProblem[]
}

export function createFacilityResolver(options: ManifestOptions): FacilityResolver {
  const { types, policy, places = { own: [resolve(options.directory)], definitions: [] } } = options
  const runsAsRoot = options.runsAsRoot === true
  const native = createNativeCheck(options.schemaOf)
  // Computing a digest per facility would be a large part of a pass without changes.
  const known = new WeakMap<FacilityDraft, { readonly type: string; readonly resolved: FacilityResolution }>()

  let follow = followEnds(options.files ?? localFiles)
  let finder = findPlaces()

  function findPlaces(): PlaceFinder {
    return options.createPlaceFinder?.() ?? asWritten
  }

  function resolveAs(type: string, supervisor: string, draft: FacilityDraft): FacilityResolution {
    const others = Object.keys(draft.config).filter(key => key !== type)
    const hasConfig = Object.hasOwn(draft.config, type)
    if (draft.process === undefined && !hasConfig && others.length > 0) {
      const message = `supervisor ${type} requested for facility ${draft.name}, which has neither spec.process nor spec.config.${type}`
      return { problems: [{ code: 'no-definition', message, path: ['spec', 'config'], atKey: true }] }
    }
    const path = ['spec', 'config', type]
    const problems: FieldProblem[] = hasConfig
      ? native.check(type, 'configSchema', lookUp(draft.config, type), path)
      : []
    const config = hasConfig ? completeConfig(type, draft, problems) : undefined
    const facility = finish(draft, supervisor, config)
    for (const other of others) {
      const hint = types.includes(other) ? '' : suggestionFor(other, types)
      if (hint === '') continue // it may well be meant for another host
      const message = `spec.config.${other} is for no known type of supervisor${hint}`
      const at = ['spec', 'config', other]
      problems.push({ code: 'unknown-config-type', message, path: at, atKey: true, severity: 'warning' })
    }
    return { facility, problems }
  }

  function completeConfig(type: string, draft: FacilityDraft, problems: FieldProblem[]): unknown {
    const given = lookUp(draft.config, type)
    const sources = lookUp(draft.configSources, type)
    if (sources === undefined) return given
    const placed = placeSources(type, options.schemaOf?.(type) ?? {}, given, sources)
    problems.push(...placed.problems)
    return placed.config
  }

  /** Checks the policy at each reading, as links may have changed. Whether others could change them is checked before a plan. */
  function withPolicy({ facility, problems }: FacilityResolution, type: string): FacilityResolution {
    if (facility === undefined || policy === undefined) return { problems, ...(facility && { facility }) }
    const besideOutput = options.schemaOf?.(type)?.besideOutput
    const refused = checkPolicy(facility, policy, { type, runsAsRoot, besideOutput, follow, places })
    return { facility, problems: [...problems, ...refused] }
  }

  return {
    begin() {
      follow = followEnds(options.files ?? localFiles)
      finder = findPlaces()
    },
    resolve(draft, supervisors, invalidSupervisors) {
      const supervisor = draft.supervisor ?? options.defaultSupervisor ?? 'process'
      const type = supervisors.get(supervisor) ?? (types.includes(supervisor) ? supervisor : undefined)
      if (type === undefined) {
        const message = invalidSupervisors.has(supervisor)
          ? `there is no supervisor "${supervisor}" as long as its manifest is invalid`
          : unknownSupervisor(supervisor, [...supervisors.keys(), ...types])
        return { problems: [{ code: 'unknown-supervisor', message, path: ['spec', 'supervisor'] }] }
      }
      const before = known.get(draft)
      const resolved = before?.type === type ? before.resolved : resolveAs(type, supervisor, draft)
      known.set(draft, { type, resolved })
      return withPolicy(resolved, type)
    },
    checkSupervisor(supervisor) {
      const { name, type, options: given } = supervisor
      if (!types.includes(type)) {
        const message = `there is no provider for supervisors of type "${type}"${suggestionFor(type, types) || knownOf(types)}`
        return [{ code: 'unknown-supervisor-type', message, path: ['spec', 'type'] }]
      }
      const problems: FieldProblem[] = []
      if (types.includes(name) && name !== type) {
        const message = `a supervisor of type ${type} must not have the name of the type ${name}`
        problems.push({ code: 'misleading-name', message, path: ['metadata', 'name'] })
      }
      problems.push(...native.check(type, 'optionsSchema', given, ['spec', type]))
      if (policy !== undefined && problems.length === 0) {
        const directories = options.directoriesOf?.(supervisor) ?? []
        problems.push(...checkSupervisorPolicy(supervisor, policy, { follow, directories, usual: usualPlaces(places) }))
      }
      return problems
    },
    placeOf(supervisor) {
      const place = options.placeOf?.(supervisor, finder)
      return place === undefined ? undefined : `${supervisor.type} at ${place}`
    },
    placeOfFile: path => finder.entry(path),
  }
}

/** Follows paths to their ends. Whether others can change them is checked before a plan. */
function followEnds(files: ManifestFiles): FollowPath {
  const follow = createPathFollower(lookupIn(files), 0)
  return path => {
    const found = follow(path)
    return found && { entry: found.entry, end: found.end }
  }
}

function finish(draft: FacilityDraft, supervisor: string, config: unknown): Facility {
  const { supervisor: _, config: __, configSources: ___, position, ...rest } = draft
  const content = { supervisor, ...(config !== undefined && { config }), ...rest }
  return { position, digest: digestOf(content), ...content }
}

const mostCompared = 100

function unknownSupervisor(name: string, known: readonly string[]): string {
  const start = `there is no supervisor "${name}": it is neither declared by a manifest nor a provider's type`
  // Comparing thousands of names with each other would take minutes.
  return known.length > mostCompared ? start : start + (suggestionFor(name, known) || knownOf(known))
}

function knownOf(names: readonly string[]): string {
  return names.length === 0 || names.length > 20 ? '' : `; known: ${[...new Set(names)].sort().join(', ')}`
}
