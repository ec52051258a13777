import type { Facility } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import { type FollowPath, isAllowedPath, type PathEnd } from '../paths/path-rule.ts'
import type { BesideOutput } from '../state/output-places.ts'

/** Something that a facility asks for and the host's owner doesn't allow. */
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

/** What of the host the rules are about, besides what the policy names. Absolute paths. */
export interface PolicyPlaces {
  /** What Reeve itself reads and believes: its configuration, state, providers, the manifests. */
  readonly own: readonly string[]
  /** Where supervisors have their definitions by default. */
  readonly definitions: readonly string[]
  /** The state directory: supervisors of Reeve's own live in it. */
  readonly state?: string
}

interface PathQuestion {
  /** Who asks for it: `facility web`. */
  readonly who: string
  readonly verb: string
  readonly path: string
  /** The key of the policy that allows it. */
  readonly list: Extract<keyof Policy, 'reads' | 'commands' | 'files' | 'supervisorDirectories'>
  readonly policy: Policy
  readonly follow: FollowPath
  /** Also what is at its end must not be others' to write. */
  readonly isRead?: boolean
}

/** Why the path may not be used so: it is judged by where it leads, and that has to stay so. Undefined: it may be. */
export function findPathRefusal(question: PathQuestion): string | undefined {
  const { who, verb, path, list, policy, follow, isRead = false } = question
  const allowed = policy[list]
  const refuse = (more = ''): string => refusalOf(who, `${verb} ${path}${more}`, list, policy)
  if (!path.startsWith('/')) return refuse()
  const found = follow(path)
  // But in the owner's own words: /dev/stdout, say, which leads each process elsewhere.
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

/** `policy`: all of it, as what an absent list allows depends on the others. */
export function refusal(facility: Facility, what: string, list: keyof Policy, policy: Policy): string {
  return refusalOf(`facility ${facility.name}`, what, list, policy)
}

export function refusalOf(who: string, what: string, list: keyof Policy, policy: Policy): string {
  return `${who} may not ${what}: not allowed by policy.${list} of the host configuration (${describeList(list, policy)})`
}

/** The lists that narrow an absent one. Those that aren't here allow everything where they are absent. */
const narrowedBy: Readonly<Partial<Record<keyof Policy, readonly (keyof Policy)[] | 'any'>>> = {
  services: 'any',
  groups: ['users'],
  environment: ['commands'],
  supervisorDirectories: 'any',
  config: ['users', 'commands'],
}

/** What nobody has written isn't said to be empty: it is absent, and allows little because of what was written. */
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
