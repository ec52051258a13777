import { type Facility, hasDefinition, type Instance } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import { fitsAny } from '../model/name-pattern.ts'
import { type FollowPath, isBelow } from '../paths/path-rule.ts'
import { checkCommands, checkEnvironment, checkEnvironmentFiles } from './commands.ts'
import { checkFileOwners, checkFiles, checkReads } from './files.ts'
import { findPathRefusal, type PolicyContext, type PolicyPlaces, type PolicyProblem, refusal } from './refusal.ts'

export interface SupervisorContext {
  readonly follow: FollowPath
  /** Directories that the provider writes for this supervisor; see `Provider.directories`. */
  readonly directories: readonly string[]
  /** Default places, allowed while its options don't name them. */
  readonly usual: readonly string[]
}

/** Default places of supervisors, allowed while options don't name them. */
export function usualPlaces({ definitions, state }: PolicyPlaces): readonly string[] {
  return state === undefined ? definitions : [...definitions, state]
}

/** True if the policy has any key. Then keys that are absent get their narrow default. */
export function isRestricted(policy: Policy): boolean {
  return Object.values(policy).some(list => list !== undefined)
}

/** Violations of the host's policy (S3) by a facility. `findReachProblem` checks what it reaches beyond itself. */
export function checkPolicy(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  if (!isRestricted(policy)) return []
  return [
    ...checkSupervisor(facility, policy, context),
    ...checkService(facility, policy),
    ...checkUser(facility, policy, context),
    ...checkGroup(facility, policy),
    ...checkConfig(facility, policy, context),
    ...checkCommands(facility, policy, context),
    ...checkEnvironment(facility, policy),
    ...checkEnvironmentFiles(facility, policy, context),
    ...checkFiles(facility, policy, context),
    ...checkFileOwners(facility, policy, context),
    ...checkReads(facility, policy, context),
  ]
}

/**
 * What of a declared supervisor the policy forbids: every place among its options, whatever its provider does there, is where
 * Reeve writes with its own rights, or whom it obeys.
 */
export function checkSupervisorPolicy(
  supervisor: Pick<Instance, 'name' | 'type' | 'options'>,
  policy: Policy,
  { follow, directories, usual }: SupervisorContext,
): PolicyProblem[] {
  if (!isRestricted(policy)) return []
  const { name, type, options } = supervisor
  const problems: PolicyProblem[] = []
  const named = pathsOf(options, ['spec', type])
  const implied = directories
    .filter(value => !named.some(one => one.value === value) && !usual.some(place => isBelow(value, place)))
    .map(value => ({ value, path: ['spec', 'type'] }))
  for (const { value, path } of [...named, ...implied]) {
    const who = `supervisor ${name}`
    const verb = 'use the directory'
    const message = findPathRefusal({ who, verb, path: value, list: 'supervisorDirectories', policy, follow })
    if (message !== undefined) problems.push({ code: 'policy-file', message, path })
  }
  return problems
}

/** Why the policy forbids a service whose definition Reeve doesn't write alone; undefined: it is allowed. */
export function findServiceRefusal(
  facility: Facility,
  what: string,
  service: string,
  policy: Policy,
): string | undefined {
  if (!isRestricted(policy) || fitsAny(service, policy.services ?? [])) return undefined
  return refusal(facility, what, 'services', policy)
}

interface PlacedText {
  readonly value: string
  readonly path: PolicyProblem['path']
}

/** Texts that may be paths, relative ones too, as their base is unknown. */
function pathsOf(value: unknown, path: PolicyProblem['path']): PlacedText[] {
  if (typeof value === 'string') return value.includes('/') ? [{ value, path }] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))
}

/** Supervisors are bounded by type, as the repository chooses names. Their places are checked where they are declared. */
function checkSupervisor(facility: Facility, policy: Policy, { type }: PolicyContext): PolicyProblem[] {
  const { supervisors } = policy
  if (supervisors === undefined || supervisors.includes(type)) return []
  const { supervisor } = facility
  const what = `use the supervisor ${supervisor}${supervisor === type ? '' : `, which is of type ${type}`}`
  const message = refusal(facility, what, 'supervisors', policy)
  return [{ code: 'policy-supervisor', message, path: ['spec', 'supervisor'] }]
}

function checkService(facility: Facility, policy: Policy): PolicyProblem[] {
  const { service } = facility
  const problems: PolicyProblem[] = []
  if (!hasDefinition(facility)) {
    const what = `have to do with service ${service}, which it doesn't define itself`
    const message = findServiceRefusal(facility, what, service, policy)
    if (message !== undefined) problems.push({ code: 'policy-service', message, path: ['spec', 'serviceName'] })
  } else if (facility.adopt) {
    const message = findServiceRefusal(facility, `adopt service ${service}`, service, policy)
    if (message !== undefined) problems.push({ code: 'policy-service', message, path: ['spec', 'adopt'] })
  }
  return problems
}

function checkUser(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  const { users } = policy
  if (users === undefined) return []
  if (facility.process === undefined) {
    // A health command runs as the service's user, and here as Reeve's.
    if (facility.health?.check.type !== 'exec' || !context.runsAsRoot || users.includes('root')) return []
    const message = refusal(facility, 'run its health check as root', 'users', policy)
    return [{ code: 'policy-user', message, path: ['spec', 'health', 'exec'] }]
  }
  const { user } = facility.process
  if (user !== undefined) {
    if (users.includes(user)) return []
    const message = refusal(facility, `run as ${user}`, 'users', policy)
    return [{ code: 'policy-user', message, path: ['spec', 'process', 'user'] }]
  }
  if (!context.runsAsRoot || users.includes('root')) return []
  const message = `${refusal(facility, 'run as root', 'users', policy)}; name a user in spec.process.user`
  return [{ code: 'policy-user', message, path: ['spec', 'process'] }]
}

/** Groups are bounded as users are. Where only users are listed, the group of the same name is allowed. */
function checkGroup(facility: Facility, policy: Policy): PolicyProblem[] {
  const group = facility.process?.group
  const allowed = policy.groups ?? policy.users
  if (group === undefined || allowed === undefined || allowed.includes(group)) return []
  const message = refusal(facility, `run with the group ${group}`, 'groups', policy)
  return [{ code: 'policy-group', message, path: ['spec', 'process', 'group'] }]
}

/** Native configuration is bounded, as it can name any user and command. */
function checkConfig(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  if (facility.config === undefined) return []
  const isBounded = policy.users !== undefined || policy.commands !== undefined
  const allowed = policy.config ?? (isBounded ? [] : undefined)
  if (allowed === undefined || allowed.includes(context.type)) return []
  const message = refusal(facility, `have native configuration for ${context.type}`, 'config', policy)
  return [{ code: 'policy-config', message, path: ['spec', 'config', context.type] }]
}
