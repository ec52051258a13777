import { hash } from 'node:crypto'
import { type Facility, hasDefinition, type Instance, type ManagedFile } from '../core/facility.ts'
import type { Ownership } from '../core/observed.ts'
import { usedFields } from '../core/portable-fields.ts'
import type { Definition, Provider, ReadHost, UserIdentity } from '../core/provider.ts'
import type { Target, TargetFile } from '../core/target.ts'
import { findUnsafeDirectory } from '../host/file-actor.ts'

export interface TargetOptions {
  readonly instance: Instance | undefined
  readonly provider: Provider | undefined
  readonly host: ReadHost
  readonly owner: string
  /** Portable fields that the instance can't honour on this host, with the reason. */
  readonly lacks?: Readonly<Partial<Record<string, string>>>
}

/** What a facility comes to on this host: its definition rendered, its owners looked up, and what can't be had. */
export function makeTarget(facility: Facility, options: TargetOptions): Target {
  const problems: string[] = []
  const definition = renderDefinition(facility, options, problems)
  const files = facility.files.map(file => resolveFile(file, facility, options.host, problems))
  return { facility, files, problems, ...(definition ? { definition } : {}) }
}

function renderDefinition(facility: Facility, options: TargetOptions, problems: string[]): Definition | undefined {
  const { instance, provider } = options
  if (!instance || !provider) {
    problems.push(`there is no supervisor ${facility.supervisor}: declare it with kind: Supervisor, or name another`)
    return undefined
  }
  const misnamed = provider.findNameProblem?.(facility.service)
  if (misnamed !== undefined) {
    problems.push(
      `supervisor ${facility.supervisor} has no such service as facility ${facility.name} names: ${misnamed}`,
    )
    return undefined
  }
  if (!hasDefinition(facility) && facility.files.length === 0) return undefined
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
  if (problems.length > 0) return undefined
  const ownership: Ownership = {
    owner: options.owner,
    facility: facility.name,
    files: facility.files.map(file => file.path).sort(),
    dependsOn: [...facility.dependsOn].sort(),
    prune: facility.prune,
  }
  const rendered = provider.render(facility, instance, ownership)
  if ('definition' in rendered) return rendered.definition
  for (const { field, message } of rendered.problems) {
    problems.push(
      `supervisor ${facility.supervisor} can't honour spec.${field} of facility ${facility.name}: ${message}`,
    )
  }
  return undefined
}

function resolveFile(file: ManagedFile, facility: Facility, host: ReadHost, problems: string[]): TargetFile {
  const { path, content, mode, onChange } = file
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
  const base = { path, content, mode, onChange, uid, gid, digest: sha256(content) }
  return actAs ? { ...base, actAs } : base
}

/** What stands in the way is told where the file is looked at. */
function tryFindWriter(file: ManagedFile, facility: Facility, host: ReadHost): UserIdentity | undefined {
  try {
    return findWriter(file, facility, host)
  } catch {
    return undefined
  }
}

/**
 * Where others than root can change the directory: the declared owner of the file, else the user of the service. Root, or a user
 * who doesn't exist, is no answer: `findTargetProblem` then says why the file can't be managed.
 */
function findWriter({ path, owner }: ManagedFile, { process }: Facility, host: ReadHost): UserIdentity | undefined {
  const name = owner ?? process?.user
  if (name === undefined || !findUnsafeDirectory(path, host)) return undefined
  const user = host.findUser(name)
  return user && user.uid !== 0 ? { name, uid: user.uid, gid: user.gid } : undefined
}

export function sha256(content: Uint8Array | string): string {
  return hash('sha256', content)
}
