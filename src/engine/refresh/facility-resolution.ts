import { dirname } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Provider } from '../../core/contracts/provider.ts'
import type { Definition } from '../../core/model/definition.ts'
import { type Facility, hasDefinition, type ManagedFile, type PortableField } from '../../core/model/facility.ts'
import { usedFields } from '../../core/model/portable-fields.ts'
import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import { findServiceNameProblem } from '../../core/model/service-name.ts'
import type { UserIdentity } from '../../core/model/user-identity.ts'
import { makeOwnership } from '../../core/plan/meeting-point.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Observed, Ownership } from '../../core/state/observed.ts'
import { withoutMark } from '../../core/state/revision-mark.ts'
import { tryTo } from '../../core/try-to.ts'
import { findUnsafeDirectory } from '../../host/file-actor.ts'
import { findOutputProblem, findReadProblems, findServicePaths } from '../../host/service-paths.ts'
import { sha256 } from '../../host/sha256.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import type { PolicyCheck } from './policy-check.ts'
import { type Declared, findStartNeeds, judgeStart, type StartOutlook } from './start-problems.ts'

export interface ResolutionOptions {
  /** Its supervisor. Undefined: there is none of that name. */
  readonly bound: Pick<BoundInstance, 'instance' | 'provider' | 'observer'> | undefined
  readonly host: ReadHost
  readonly owner: string
  /** Goes into the marker: see `Ownership.revision`. */
  readonly mark?: string | undefined
  /** Portable fields that the instance can't honour on this host, with the reason. */
  readonly lacks?: Readonly<Partial<Record<string, string>>>
  /** Asks the host's policy. Absent: it allows everything. */
  readonly checkPolicy?: PolicyCheck
  /** True: the manifests may be meant for another host, so nothing is checked against this one. */
  readonly isElsewhere?: boolean
  /** Present observation of the service. */
  readonly observed?: Observed | undefined
  /** All declared facilities. Absent: this one only. */
  readonly declared?: Declared
}

/** Resolves a facility for this host: renders its definition, looks up users and groups, and collects problems. */
export function resolveFacility(facility: Facility, options: ResolutionOptions): ResolvedFacility {
  const problems: string[] = []
  const definitions = renderDefinitions(facility, options, problems)
  checkPaths(facility, definitions.definition, options, problems)
  const files = facility.files.map(file => resolveFile(file, facility, options.host, problems))
  const startProblems = options.isElsewhere ? [] : judgeStartOf(facility, definitions.definition, options, problems)
  return { facility, files, problems, ...definitions, ...(startProblems.length > 0 && { startProblems }) }
}

/** Problems of a start. A facility that couldn't be rendered has none besides. */
function judgeStartOf(
  facility: Facility,
  definition: Definition | undefined,
  { bound, host, declared = new Map() }: ResolutionOptions,
  problems: string[],
): readonly string[] {
  if (!definition || !bound || facility.state === 'stopped') return []
  const resolve: StartOutlook['resolve'] = (file, one) => resolveFile(file, one, host, [])
  return (
    attempt('say what a start needs of', facility, bound.provider, problems, () => {
      const needs = findStartNeeds(facility, definition, bound.observer)
      return needs && judgeStart(needs, facility, { host, declared, resolve })
    }) ?? []
  )
}

type Definitions = Pick<ResolvedFacility, 'definition' | 'mark' | 'imprint' | 'earlier' | 'formerDigest'>

function renderDefinitions(facility: Facility, options: ResolutionOptions, problems: string[]): Definitions {
  const { bound } = options
  if (!bound) {
    problems.push(`there is no supervisor ${facility.supervisor}: declare it with kind: Supervisor, or name another`)
    return {}
  }
  const { instance, provider } = bound
  const named = attempt('judge the name of', facility, provider, problems, () => ({
    problem: findServiceNameProblem(provider, facility.service),
    state: provider.findStateProblem?.(facility.service, facility.state),
  }))
  if (!named) return {}
  const misnamed = named.problem
  if (named.state !== undefined) {
    problems.push(
      `supervisor ${facility.supervisor} can't have facility ${facility.name} in that state: ${named.state}`,
    )
    return {}
  }
  if (misnamed !== undefined) {
    problems.push(
      `supervisor ${facility.supervisor} has no such service as facility ${facility.name} names: ${misnamed}`,
    )
    return {}
  }
  problems.push(...(options.checkPolicy?.(facility, instance, provider) ?? []))
  if (!hasDefinition(facility) && facility.files.length === 0) return {}
  if (facility.process) {
    const honoured = provider.capabilities.process
    for (const field of usedFields(facility.process)) {
      const why = honoured.includes(field) ? options.lacks?.[field] : refusalOf(field, provider)
      if (why === undefined) continue
      problems.push(
        `supervisor ${facility.supervisor} can't honour spec.process.${field} of facility ${facility.name}: ${why}`,
      )
    }
  }
  if (problems.length > 0) return {}
  const definitions = attempt('render', facility, provider, problems, () => {
    const servicePaths = facility.process && findServicePaths(facility.process, options.host)
    const render: Render = (named, ownership) => provider.render(named, instance, ownership, servicePaths)
    const { mark } = options
    const ownership = {
      ...makeOwnership(facility, options.owner, sha256),
      ...(mark !== undefined && { revision: mark }),
    }
    const rendered = render(facility, ownership)
    if ('definition' in rendered) {
      const { definition } = rendered
      const found = bound.observer.findHostProblems?.(facility, definition) ?? []
      problems.push(...found)
      if (found.length > 0) return undefined
      return {
        definition,
        ...(mark !== undefined && { mark }),
        imprint: sha256(withoutMark(JSON.stringify(definition.files), mark)),
        ...renderOlder(facility, ownership, options.observed, render),
      }
    }
    for (const { field, message } of rendered.problems) {
      problems.push(
        `supervisor ${facility.supervisor} can't honour spec.${field} of facility ${facility.name}: ${message}`,
      )
    }
    return undefined
  })
  return definitions ?? {}
}

function refusalOf(field: PortableField, { type, capabilities }: Provider): string {
  return capabilities.refusals?.[field] ?? `provider ${type} has no such thing`
}

type Render = (facility: Facility, ownership: Ownership) => ReturnType<Provider['render']>

/** Definition as an earlier version, or the facility under its former name, would have written it. */
function renderOlder(
  facility: Facility,
  ownership: Ownership,
  observed: Observed | undefined,
  render: Render,
): Omit<Definitions, 'definition' | 'imprint'> {
  const found = observed?.ownership
  const isEarlier = found?.owner === ownership.owner && lacksOther(found, ownership)
  const earlier = isEarlier ? definitionOf(render(facility, withPartsOf(found, ownership))) : undefined
  const { renamedFrom } = facility
  const former =
    renamedFrom === undefined ? undefined : definitionOf(render({ ...facility, name: renamedFrom }, ownership))
  return { ...(earlier && { earlier }), ...(former && { formerDigest: former.digest }) }
}

/** Whether one marker has a part that the other lacks. What the revision is doesn't matter. */
function lacksOther(found: Ownership, wanted: Ownership): boolean {
  return found.meets === undefined || (found.revision === undefined) !== (wanted.revision === undefined)
}

/** The wanted marker with only the parts that the found one has. */
function withPartsOf({ meets, revision }: Ownership, wanted: Ownership): Ownership {
  const { meets: ownMeets, revision: _, ...rest } = wanted
  return { ...rest, ...(meets && ownMeets && { meets: ownMeets }), ...(revision !== undefined && { revision }) }
}

function definitionOf(rendered: ReturnType<Render>): Definition | undefined {
  return 'definition' in rendered ? rendered.definition : undefined
}

/** A provider's failure blocks only the facility it was asked about. */
function attempt<T>(
  what: string,
  facility: Facility,
  provider: Provider,
  problems: string[],
  act: () => T | undefined,
): T | undefined {
  try {
    return act()
  } catch (error) {
    problems.push(
      `provider ${provider.type} failed to ${what} facility ${facility.name}: ${messageOf(error)}; this is a fault of the provider`,
    )
    return undefined
  }
}

/** Native configuration may override `process`: then only the provider can resolve the paths. */
function checkPaths(
  facility: Facility,
  definition: Definition | undefined,
  { host, bound, isElsewhere = false }: ResolutionOptions,
  problems: string[],
): void {
  const process = definition?.process ?? (facility.config === undefined ? facility.process : undefined)
  if (!process) return
  // The controller's own log is in or above the state directory, which is created by the first step.
  const directory = process.output && dirname(process.output.file)
  const isMadeLater = directory !== undefined && `${bound?.instance.stateDirectory}/`.startsWith(`${directory}/`)
  const output = findOutputProblem(process, host, { isTentative: isElsewhere || isMadeLater })
  const reads = findReadProblems(process, host, { isTentative: isElsewhere })
  for (const { field, message } of [...(output ? [output] : []), ...reads]) {
    problems.push(`spec.process.${field} of facility ${facility.name}: ${message}`)
  }
}

function resolveFile(
  file: ManagedFile,
  facility: Pick<Facility, 'process'>,
  host: ReadHost,
  problems: string[],
): ResolvedFile {
  const { path, content, mode, onChange, onRemove } = file
  const owner = file.owner === undefined ? undefined : host.findUser(file.owner)
  if (file.owner !== undefined && !owner) problems.push(`the owner of ${path}, user ${file.owner}, does not exist`)
  const group = file.group === undefined ? undefined : host.findGroup(file.group)
  if (file.group !== undefined && group === undefined) {
    problems.push(`the group of ${path}, ${file.group}, does not exist`)
  }
  const actAs = tryFindWriter(file, facility, host)
  if (actAs && group !== undefined && group !== actAs.gid && !host.findGroupsOf(actAs).has(group)) {
    problems.push(
      `the group of ${path}, ${file.group}, can't be had: user ${actAs.name}, who writes the file, isn't in it`,
    )
  }
  const uid = owner?.uid ?? actAs?.uid ?? host.userId()
  const gid = group ?? owner?.gid ?? actAs?.gid ?? host.groupId()
  const base = { path, content, mode, onChange, uid, gid, digest: sha256(content), ...(onRemove && { onRemove }) }
  return actAs ? { ...base, actAs } : base
}

/** Problems of the directory are reported where the file is observed. */
function tryFindWriter(
  file: ManagedFile,
  facility: Pick<Facility, 'process'>,
  host: ReadHost,
): UserIdentity | undefined {
  return tryTo(() => findWriter(file, facility, host))
}

/**
 * User to write the file as, where others than root can change its directory: the declared owner of the file, otherwise the user of
 * the service. Undefined for root or a missing user: then `findTargetProblem` says why the file can't be managed.
 */
function findWriter(
  { path, owner }: ManagedFile,
  { process }: Pick<Facility, 'process'>,
  host: ReadHost,
): UserIdentity | undefined {
  const name = owner ?? process?.user
  if (name === undefined || !findUnsafeDirectory(path, host)) return undefined
  const user = host.findUser(name)
  return user && user.uid !== 0 ? { name, uid: user.uid, gid: user.gid } : undefined
}
