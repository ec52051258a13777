import { hash } from 'node:crypto'
import { type Facility, hasDefinition, type Instance, type ManagedFile } from '../core/facility.ts'
import { meetingPointsOf } from '../core/meeting-point.ts'
import type { Observed, Ownership } from '../core/observed.ts'
import { usedFields } from '../core/portable-fields.ts'
import type { Definition, Provider, ReadHost } from '../core/provider.ts'
import type { Target, TargetFile } from '../core/target.ts'

export interface TargetOptions {
  readonly instance: Instance | undefined
  readonly provider: Provider | undefined
  readonly host: ReadHost
  readonly owner: string
  /** Portable fields that the instance can't honour on this host, with the reason. */
  readonly lacks?: Readonly<Partial<Record<string, string>>>
  /** What is there in its place now. */
  readonly observed?: Observed | undefined
}

/** What a facility comes to on this host: its definition rendered, its owners looked up, and what can't be had. */
export function makeTarget(facility: Facility, options: TargetOptions): Target {
  const problems: string[] = []
  const definitions = renderDefinitions(facility, options, problems)
  const files = facility.files.map(file => resolveFile(file, options.host, problems))
  return { facility, files, problems, ...definitions }
}

type Definitions = Pick<Target, 'definition' | 'earlier' | 'formerDigest'>

function renderDefinitions(facility: Facility, options: TargetOptions, problems: string[]): Definitions {
  const { instance, provider } = options
  if (!instance || !provider) {
    problems.push(`there is no supervisor ${facility.supervisor}: declare it with kind: Supervisor, or name another`)
    return {}
  }
  const misnamed = provider.findNameProblem?.(facility.service)
  if (misnamed !== undefined) {
    problems.push(
      `supervisor ${facility.supervisor} has no such service as facility ${facility.name} names: ${misnamed}`,
    )
    return {}
  }
  if (!hasDefinition(facility) && facility.files.length === 0) return {}
  if (facility.process) {
    const honoured = new Set(provider.capabilities.process)
    for (const field of usedFields(facility.process)) {
      const why = honoured.has(field) ? options.lacks?.[field] : `provider ${provider.type} has no such thing`
      if (why === undefined) continue
      problems.push(
        `supervisor ${facility.supervisor} can't honour spec.process.${field} of facility ${facility.name}: ${why}`,
      )
    }
  }
  if (problems.length > 0) return {}
  const rendered = provider.render(facility, instance, makeOwnership(facility, options.owner))
  if ('definition' in rendered) {
    const earlier = renderEarlier(facility, instance, provider, options)
    const former = renderFormer(facility, instance, provider, options)
    return {
      definition: rendered.definition,
      ...(earlier && { earlier }),
      ...(former && { formerDigest: former.digest }),
    }
  }
  for (const { field, message } of rendered.problems) {
    problems.push(
      `supervisor ${facility.supervisor} can't honour spec.${field} of facility ${facility.name}: ${message}`,
    )
  }
  return {}
}

function makeOwnership(facility: Facility, owner: string): Ownership {
  const files = facility.files.map(file => file.path).sort()
  return {
    owner,
    facility: facility.name,
    files,
    dependsOn: [...facility.dependsOn].sort(),
    prune: facility.prune,
    meets: meetingPointsOf(facility, sha256).filter(point => !files.includes(point.replace(/^file:/, ''))),
  }
}

function renderEarlier(
  facility: Facility,
  instance: Instance,
  provider: Provider,
  { observed, owner }: TargetOptions,
): Definition | undefined {
  const found = observed?.ownership
  if (found?.owner !== owner || found.meets !== undefined) return undefined
  const { meets: _, ...ownership } = makeOwnership(facility, owner)
  const rendered = provider.render(facility, instance, ownership)
  return 'definition' in rendered ? rendered.definition : undefined
}

function renderFormer(
  facility: Facility,
  instance: Instance,
  provider: Provider,
  { owner }: TargetOptions,
): Definition | undefined {
  const { renamedFrom } = facility
  if (renamedFrom === undefined) return undefined
  const rendered = provider.render({ ...facility, name: renamedFrom }, instance, makeOwnership(facility, owner))
  return 'definition' in rendered ? rendered.definition : undefined
}

function resolveFile(file: ManagedFile, host: ReadHost, problems: string[]): TargetFile {
  const { path, content, mode, onChange } = file
  const user = file.owner === undefined ? undefined : host.findUser(file.owner)
  if (file.owner !== undefined && !user) problems.push(`the owner of ${path}, user ${file.owner}, does not exist`)
  const group = file.group === undefined ? undefined : host.findGroup(file.group)
  if (file.group !== undefined && group === undefined) {
    problems.push(`the group of ${path}, ${file.group}, does not exist`)
  }
  const uid = user?.uid ?? host.userId()
  const gid = group ?? user?.gid ?? host.groupId()
  return { path, content, mode, onChange, uid, gid, digest: sha256(content) }
}

export function sha256(content: Uint8Array | string): string {
  return hash('sha256', content)
}
