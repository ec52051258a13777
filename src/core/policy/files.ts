import type { Facility, Process } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import { isAmong, isBelow } from '../paths/path-rule.ts'
import { placesBeside } from '../state/output-places.ts'
import { findPathRefusal, type PolicyContext, type PolicyProblem, refusal } from './refusal.ts'

export function checkFiles(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  const problems: PolicyProblem[] = []
  for (const [index, file] of facility.files.entries()) {
    const isOthers = file.owner !== undefined && file.owner !== 'root' && file.owner !== '0'
    const isProgram = (file.mode & 0o111) !== 0 || isOthers
    const message = findWriteRefusal(facility, file.path, isProgram, policy, context)
    if (message !== undefined) problems.push({ code: 'policy-file', message, path: ['spec', 'files', index, 'path'] })
  }
  const message = facility.process?.output && findOutputRefusal(facility, facility.process.output, policy, context)
  if (message !== undefined) {
    problems.push({ code: 'policy-file', message, path: ['spec', 'process', 'output', 'file'] })
  }
  return problems
}

/** Refusal of the file, or of the first place beside it that is written. */
function findOutputRefusal(
  facility: Facility,
  output: NonNullable<Process['output']>,
  policy: Policy,
  context: PolicyContext,
): string | undefined {
  const { file } = output
  const refused = findWriteRefusal(facility, file, true, policy, context)
  if (refused !== undefined || context.besideOutput === undefined) return refused
  // A path that leads each process elsewhere is no file and never rotated.
  if (context.follow(file) === undefined) return undefined
  for (const place of placesBeside(output, context.besideOutput)) {
    const message = findWriteRefusal(facility, place, true, policy, context)
    if (message !== undefined)
      return `${message}; supervisor ${facility.supervisor} keeps output there too, beside ${file}`
  }
  return undefined
}

/** Paths that lead each process to its own descriptors. */
const ownStreams: readonly string[] = ['/dev/stdout', '/dev/stderr']

/** `isProgram`: the file is executable, or its owner can make it so. */
function findWriteRefusal(
  facility: Facility,
  path: string,
  isProgram: boolean,
  policy: Policy,
  { follow, places }: PolicyContext,
): string | undefined {
  const { files, commands } = policy
  if (files !== undefined) {
    const who = `facility ${facility.name}`
    const refused = findPathRefusal({ who, verb: 'write', path, list: 'files', policy, follow })
    if (refused !== undefined) return refused
  }
  const found = follow(path)
  if (found === undefined) {
    if ((files ?? ownStreams).includes(path)) return undefined
    return `facility ${facility.name} may not write ${path}: where it leads can't be known`
  }
  const forbid = (why: string): string => `facility ${facility.name} may not write ${path}: ${why}`
  // Files that the repository can write satisfy no rule.
  if (isAmong(found, places.own, follow)) return forbid('Reeve itself reads or keeps it')
  const definitions = [...places.definitions, ...(policy.supervisorDirectories ?? [])]
  const named = (files ?? []).filter(entry => definitions.some(place => isBelow(entry, place)))
  if (isAmong(found, definitions, follow) && !isAmong(found, named, follow)) {
    return forbid(
      'supervisors read their definitions there, so it would be a way around the rest of the policy; policy.files of the host configuration has to name that directory itself',
    )
  }
  const programs = (commands ?? []).filter(entry => !/^\/+$/.test(entry))
  if (isProgram && isAmong(found, programs, follow)) {
    return forbid(
      'policy.commands allows programs there, and this would be one of the repository: give it no execute permission and no owner, or have policy.commands name the programs',
    )
  }
  return undefined
}

/** Owners are bounded, as programs trust files of their own user. Root and its group own files by default. */
export function checkFileOwners(facility: Facility, policy: Policy, { runsAsRoot }: PolicyContext): PolicyProblem[] {
  const { users } = policy
  const groups = policy.groups ?? users
  const isOwn = (name: string): boolean => runsAsRoot && (name === 'root' || name === '0')
  const problems: PolicyProblem[] = []
  for (const [index, { path: file, owner, group }] of facility.files.entries()) {
    const at = ['spec', 'files', index]
    if (owner !== undefined && users !== undefined && !users.includes(owner) && !isOwn(owner)) {
      const message = refusal(facility, `give ${file} to user ${owner}`, 'users', policy)
      problems.push({ code: 'policy-user', message, path: [...at, 'owner'] })
    }
    if (group !== undefined && groups !== undefined && !groups.includes(group) && !isOwn(group)) {
      const message = refusal(facility, `give ${file} to group ${group}`, 'groups', policy)
      problems.push({ code: 'policy-group', message, path: [...at, 'group'] })
    }
  }
  return problems
}

/** Files that Reeve reads for a service or its health check are bounded. */
export function checkReads(facility: Facility, policy: Policy, { follow }: PolicyContext): PolicyProblem[] {
  const { process, health } = facility
  if (policy.reads === undefined) return []
  const problems: PolicyProblem[] = []
  const check = (file: string, path: PolicyProblem['path']): void => {
    const who = `facility ${facility.name}`
    const message = findPathRefusal({ who, verb: 'read', path: file, list: 'reads', policy, follow })
    if (message !== undefined) problems.push({ code: 'policy-read', message, path })
  }
  for (const [name, value] of Object.entries(process?.environment ?? {})) {
    if (typeof value !== 'string') check(value.fromFile, ['spec', 'process', 'environment', name, 'fromFile'])
  }
  for (const [index, file] of (process?.environmentFiles ?? []).entries()) {
    check(file, ['spec', 'process', 'environmentFiles', index])
  }
  for (const { file, field } of filesOfCheck(health?.check)) check(file, ['spec', 'health', 'http', ...field])
  return problems
}

/** Files that a health check reads each time. */
export function filesOfCheck(
  check: NonNullable<Facility['health']>['check'] | undefined,
): { readonly file: string; readonly field: readonly string[] }[] {
  if (check?.type !== 'http') return []
  const { ca, headers = {} } = check
  const secrets = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [] : [{ file: value.fromFile, field: ['headers', name, 'fromFile'] }],
  )
  return ca === undefined ? secrets : [{ file: ca, field: ['ca'] }, ...secrets]
}
