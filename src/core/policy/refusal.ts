import type { Facility } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import { type FollowPath, isAllowedPath, type PathEnd } from '../paths/path-rule.ts'
import type { BesideOutput } from '../state/output-places.ts'

/** Violation of the policy. */
export interface PolicyProblem {
  readonly code:
    | 'policy-supervisor'
    | 'policy-service'
    | 'policy-user'
    | 'policy-group'
    | 'policy-command'
    | 'policy-environment'
    | 'policy-file'
    | 'policy-read'
    | 'policy-config'
  readonly message: string
  /** Where in the manifest it stands. */
  readonly path: readonly (string | number)[]
}

export interface PolicyContext {
  /** The type of the facility's supervisor. */
  readonly type: string
  /** True: a process whose facility names no user runs as root. */
  readonly runsAsRoot: boolean
  /** Where its supervisor writes besides the file of an output. Absent: nowhere. */
  readonly besideOutput?: BesideOutput | undefined
  readonly follow: FollowPath
  readonly places: PolicyPlaces
}

/** Places that the rules protect besides those in the policy. Absolute paths. */
export interface PolicyPlaces {
  /** Files that Reeve trusts: its configuration, state, providers, the manifests. */
  readonly own: readonly string[]
  /** Where supervisors have their definitions by default. */
  readonly definitions: readonly string[]
  /** The state directory: supervisors of Reeve's own live in it. */
  readonly state?: string
}

interface PathQuestion {
  /** What names the path: `facility web`. */
  readonly who: string
  readonly verb: string
  readonly path: string
  /** The key of the policy that allows it. */
  readonly list: Extract<keyof Policy, 'reads' | 'commands' | 'files' | 'supervisorDirectories'>
  readonly policy: Policy
  readonly follow: FollowPath
  /** True: the file at its end must not be writable by others either. */
  readonly isRead?: boolean
}

/** Why the policy forbids a path: it is checked where it leads, and others must not change that. Undefined: allowed. */
export function findPathRefusal(question: PathQuestion): string | undefined {
  const { who, verb, path, list, policy, follow, isRead = false } = question
  const allowed = policy[list]
  const refuse = (more = ''): string => refusalOf(who, `${verb} ${path}${more}`, list, policy)
  if (!path.startsWith('/')) return refuse()
  const found = follow(path)
  // Only if the policy names it literally: /dev/stdout leads each process elsewhere.
  if (found === undefined) return allowed?.includes(path) ? undefined : refuse(', and where that leads cannot be known')
  if (!isAllowedPath(found, allowed ?? [], follow)) return refuse(describeEnd(path, found))
  const change = found.changeable ?? (isRead ? found.writable : undefined)
  if (change === undefined) return undefined
  return `${who} may not ${verb} ${path}: others can change what that is, so policy.${list} of the host configuration can't bound it: ${change}`
}

function describeEnd(path: string, { entry, end }: PathEnd): string {
  if (end === path || (end === entry && path.endsWith(end))) return ''
  return `, which is ${end}`
}

/** `policy`: the whole, as the default of an absent list depends on the others. */
export function refusal(facility: Facility, what: string, list: keyof Policy, policy: Policy): string {
  return refusalOf(`facility ${facility.name}`, what, list, policy)
}

export function refusalOf(who: string, what: string, list: keyof Policy, policy: Policy): string {
  return `${who} may not ${what}: not allowed by policy.${list} of the host configuration (${describeList(list, policy)})`
}

/** For each list, the others that narrow its default. A list that isn't here allows everything by default. */
const narrowedBy: Readonly<Partial<Record<keyof Policy, readonly (keyof Policy)[] | 'any'>>> = {
  services: 'any',
  groups: ['users'],
  environment: ['commands'],
  supervisorDirectories: 'any',
  config: ['users', 'commands'],
}

/** An absent list is called absent, with the list that narrows it. */
function describeList(list: keyof Policy, policy: Policy): string {
  const allowed = policy[list]
  if (allowed !== undefined) return allowed.length === 0 ? 'it is empty' : `it has ${allowed.join(', ')}`
  const cause = narrowedBy[list]
  const given = keysOf(policy).filter(key => cause === 'any' || cause?.includes(key))
  if (given.length === 0) return 'it is not given'
  const left = list === 'groups' ? `only groups of the same names (${policy.users?.join(', ') || 'none'})` : 'none'
  const others = given.map(key => `policy.${key}`).join(', ')
  return `it is not given, and as ${others} ${given.length === 1 ? 'is' : 'are'}, that allows ${left}`
}

function keysOf(policy: Policy): (keyof Policy)[] {
  return policyKeys.filter(key => policy[key] !== undefined)
}

const policyKeys: readonly (keyof Policy)[] = [
  'supervisors',
  'services',
  'users',
  'groups',
  'reads',
  'commands',
  'environment',
  'files',
  'supervisorDirectories',
  'config',
]
