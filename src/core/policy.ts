import { type Facility, hasDefinition } from './facility.ts'
import type { Policy } from './host-configuration.ts'
import { fitsAny } from './name-pattern.ts'
import { type FollowPath, isAllowedPath, isAmong, isBelow, type PathEnd } from './path-rule.ts'
import { findSteering } from './steering-variables.ts'

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

/** A `kind: Supervisor` document, as far as the policy looks at it. */
export interface SupervisorDeclaration {
  readonly name: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface SupervisorContext {
  readonly follow: FollowPath
  /** Where its provider keeps things of this supervisor, in whatever words its options say so; see `Provider.directories`. */
  readonly directories: readonly string[]
  /** Where it may be without a word of the owner, as long as its options don't name it. */
  readonly usual: readonly string[]
}

/** Where a supervisor may be without a word of the owner, as long as its options don't name the place. */
export function usualPlaces({ definitions, state }: PolicyPlaces): readonly string[] {
  return state === undefined ? definitions : [...definitions, state]
}

/** True: the host's owner bounds something. Then what is bounded by nothing else gets the narrow default. */
export function isRestricted(policy: Policy): boolean {
  return Object.values(policy).some(list => list !== undefined)
}

/** What of a facility the host's policy (S3) forbids. Of what it reaches beyond itself, `findReachProblem` tells. */
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
  supervisor: SupervisorDeclaration,
  policy: Policy,
  { follow, directories, usual }: SupervisorContext,
): PolicyProblem[] {
  if (!isRestricted(policy)) return []
  const { name, type, options } = supervisor
  const problems: PolicyProblem[] = []
  const { supervisorDirectories: allowed } = policy
  const named = pathsOf(options, ['spec', type])
  const implied = directories
    .filter(value => !named.some(one => one.value === value) && !usual.some(place => isBelow(value, place)))
    .map(value => ({ value, path: ['spec', 'type'] }))
  for (const { value, path } of [...named, ...implied]) {
    const who = `supervisor ${name}`
    const verb = 'use the directory'
    const message = findPathRefusal({ who, verb, path: value, list: 'supervisorDirectories', allowed, follow })
    if (message !== undefined) problems.push({ code: 'policy-file', message, path })
  }
  return problems
}

/** Why the facility may not have to do with that service, which Reeve doesn't write all by itself; undefined: it may. */
export function findServiceRefusal(
  facility: Facility,
  what: string,
  service: string,
  policy: Policy,
): string | undefined {
  if (!isRestricted(policy) || fitsAny(service, policy.services ?? [])) return undefined
  return refusal(facility, what, 'services', policy.services)
}

interface PlacedText {
  readonly value: string
  readonly path: PolicyProblem['path']
}

/** Relative ones too: nobody knows what they are relative to. */
function pathsOf(value: unknown, path: PolicyProblem['path']): PlacedText[] {
  if (typeof value === 'string') return value.includes('/') ? [{ value, path }] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))
}

/** By its type: a name is what the repository gives it. Its places are checked where it is declared. */
function checkSupervisor(facility: Facility, { supervisors }: Policy, { type }: PolicyContext): PolicyProblem[] {
  if (supervisors === undefined || supervisors.includes(type)) return []
  const { supervisor } = facility
  const what = `use the supervisor ${supervisor}${supervisor === type ? '' : `, which is of type ${type}`}`
  const message = refusal(facility, what, 'supervisors', supervisors)
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
    const message = refusal(facility, 'run its health check as root', 'users', users)
    return [{ code: 'policy-user', message, path: ['spec', 'health', 'exec'] }]
  }
  const { user } = facility.process
  if (user !== undefined) {
    if (users.includes(user)) return []
    const message = refusal(facility, `run as ${user}`, 'users', users)
    return [{ code: 'policy-user', message, path: ['spec', 'process', 'user'] }]
  }
  if (!context.runsAsRoot || users.includes('root')) return []
  const message = `${refusal(facility, 'run as root', 'users', users)}; name a user in spec.process.user`
  return [{ code: 'policy-user', message, path: ['spec', 'process'] }]
}

/** A group can give as much as a user. Where only users are listed, each of them may have the group of its own name. */
function checkGroup(facility: Facility, policy: Policy): PolicyProblem[] {
  const group = facility.process?.group
  const allowed = policy.groups ?? policy.users
  if (group === undefined || allowed === undefined || allowed.includes(group)) return []
  const message = refusal(facility, `run with the group ${group}`, 'groups', policy.groups)
  return [{ code: 'policy-group', message, path: ['spec', 'process', 'group'] }]
}

/** A file can be given to somebody, who can then be made to trust it. Root and its group have it anyhow, unless another is named. */
function checkFileOwners(facility: Facility, policy: Policy, { runsAsRoot }: PolicyContext): PolicyProblem[] {
  const { users } = policy
  const groups = policy.groups ?? users
  const isOwn = (name: string): boolean => runsAsRoot && (name === 'root' || name === '0')
  const problems: PolicyProblem[] = []
  for (const [index, { path: file, owner, group }] of facility.files.entries()) {
    const at = ['spec', 'files', index]
    if (owner !== undefined && users !== undefined && !users.includes(owner) && !isOwn(owner)) {
      const message = refusal(facility, `give ${file} to user ${owner}`, 'users', users)
      problems.push({ code: 'policy-user', message, path: [...at, 'owner'] })
    }
    if (group !== undefined && groups !== undefined && !groups.includes(group) && !isOwn(group)) {
      const message = refusal(facility, `give ${file} to group ${group}`, 'groups', policy.groups)
      problems.push({ code: 'policy-group', message, path: [...at, 'group'] })
    }
  }
  return problems
}

/** Secrets and environment files are read with Reeve's rights, and end up in the service's hands. */
function checkReads(facility: Facility, { reads }: Policy, { follow }: PolicyContext): PolicyProblem[] {
  const { process } = facility
  if (reads === undefined || process === undefined) return []
  const problems: PolicyProblem[] = []
  const check = (file: string, path: PolicyProblem['path']): void => {
    const who = `facility ${facility.name}`
    const message = findPathRefusal({ who, verb: 'read', path: file, list: 'reads', allowed: reads, follow })
    if (message !== undefined) problems.push({ code: 'policy-read', message, path })
  }
  for (const [name, value] of Object.entries(process.environment)) {
    if (typeof value !== 'string') check(value.fromFile, ['spec', 'process', 'environment', name, 'fromFile'])
  }
  for (const [index, file] of process.environmentFiles.entries()) {
    check(file, ['spec', 'process', 'environmentFiles', index])
  }
  return problems
}

/** Native configuration can name any user and any command, so it would be a way around the lists of these. */
function checkConfig(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  if (facility.config === undefined) return []
  const isBounded = policy.users !== undefined || policy.commands !== undefined
  const allowed = policy.config ?? (isBounded ? [] : undefined)
  if (allowed === undefined || allowed.includes(context.type)) return []
  const message = refusal(facility, `have native configuration for ${context.type}`, 'config', policy.config)
  return [{ code: 'policy-config', message, path: ['spec', 'config', context.type] }]
}

function checkCommands(facility: Facility, { commands }: Policy, { follow }: PolicyContext): PolicyProblem[] {
  if (commands === undefined) return []
  const problems: PolicyProblem[] = []
  for (const { command, path, user } of commandsOf(facility)) {
    const program = command[0] ?? ''
    const refused = findPathRefusal({
      who: `facility ${facility.name}`,
      verb: 'run',
      path: program,
      list: 'commands',
      allowed: commands,
      follow: asked => follow(asked, user),
      isRead: true,
    })
    if (refused === undefined) continue
    const hint = program.startsWith('/') ? '' : '; give the program by its absolute path'
    problems.push({ code: 'policy-command', message: `${refused}${hint}`, path: [...path, 0] })
  }
  return problems
}

interface PlacedCommand {
  readonly command: readonly string[]
  readonly path: readonly string[]
  /** Whoever can change the program's place harms only itself. */
  readonly user?: string
}

function commandsOf(facility: Facility): PlacedCommand[] {
  const { process, health } = facility
  const commands: PlacedCommand[] = []
  if (process !== undefined) {
    const { command, user } = process
    commands.push({ command, path: ['spec', 'process', 'command'], ...(user !== undefined && { user }) })
  }
  if (process?.reload !== undefined && 'command' in process.reload) {
    commands.push({ command: process.reload.command, path: ['spec', 'process', 'reload', 'command'] })
  }
  if (health?.check.type === 'exec') {
    commands.push({ command: health.check.command, path: ['spec', 'health', 'exec', 'command'] })
  }
  return commands
}

function checkEnvironment(facility: Facility, policy: Policy): PolicyProblem[] {
  const allowed = policy.environment ?? (policy.commands === undefined ? undefined : [])
  if (allowed === undefined) return []
  return Object.keys(facility.process?.environment ?? {}).flatMap(name => {
    const why = fitsAny(name, allowed) ? undefined : findSteering(name)
    if (why === undefined) return []
    const message = `${refusal(facility, `set ${name}`, 'environment', policy.environment)}: ${why}`
    return [{ code: 'policy-environment' as const, message, path: ['spec', 'process', 'environment', name] }]
  })
}

/** One can hold any variable, so it has to be one that the host's owner has written, and the repository can't have. */
function checkEnvironmentFiles(facility: Facility, policy: Policy, { follow, places }: PolicyContext): PolicyProblem[] {
  const allowed = policy.environment ?? (policy.commands === undefined ? undefined : [])
  if (allowed === undefined || allowed.includes('*')) return []
  const written = policy.files ?? ['/']
  const kept = [...places.own, ...places.definitions, ...(policy.supervisorDirectories ?? [])]
  return (facility.process?.environmentFiles ?? []).flatMap((file, index) => {
    const found = follow(file)
    const why =
      found === undefined
        ? 'where it leads can’t be known'
        : isAmong(found, written, follow)
          ? 'the repository may write it, by policy.files'
          : isAmong(found, kept, follow)
            ? 'it is among what Reeve keeps, or is in the repository'
            : (found.changeable ?? found.writable)
    if (why === undefined) return []
    const message = `${refusal(facility, `read variables from ${file}`, 'environment', policy.environment)}: it can set any variable, and ${why}`
    return [{ code: 'policy-environment' as const, message, path: ['spec', 'process', 'environmentFiles', index] }]
  })
}

function checkFiles(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  const problems: PolicyProblem[] = []
  for (const [index, file] of facility.files.entries()) {
    const isOthers = file.owner !== undefined && file.owner !== 'root' && file.owner !== '0'
    const isProgram = (file.mode & 0o111) !== 0 || isOthers
    const message = findWriteRefusal(facility, file.path, isProgram, policy, context)
    if (message !== undefined) problems.push({ code: 'policy-file', message, path: ['spec', 'files', index, 'path'] })
  }
  const output = facility.process?.output?.file
  const message = output === undefined ? undefined : findWriteRefusal(facility, output, true, policy, context)
  if (message !== undefined) {
    problems.push({ code: 'policy-file', message, path: ['spec', 'process', 'output', 'file'] })
  }
  return problems
}

/** They lead each process to what it was started with. */
const ownStreams: readonly string[] = ['/dev/stdout', '/dev/stderr']

/** `isProgram`: it can be run, or its owner can make it so. */
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
    const refused = findPathRefusal({ who, verb: 'write', path, list: 'files', allowed: files, follow })
    if (refused !== undefined) return refused
  }
  const found = follow(path)
  if (found === undefined) {
    if ((files ?? ownStreams).includes(path)) return undefined
    return `facility ${facility.name} may not write ${path}: where it leads can't be known`
  }
  const forbid = (why: string): string => `facility ${facility.name} may not write ${path}: ${why}`
  // What the repository can write satisfies no rule of the host's owner.
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

interface PathQuestion {
  /** Who asks for it: `facility web`. */
  readonly who: string
  readonly verb: string
  readonly path: string
  /** The key of the policy, and what it has. */
  readonly list: keyof Policy
  readonly allowed: readonly string[] | undefined
  readonly follow: FollowPath
  /** Also what is at its end must not be others' to write. */
  readonly isRead?: boolean
}

/** Why the path may not be used so: it is judged by where it leads, and that has to stay so. Undefined: it may be. */
function findPathRefusal(question: PathQuestion): string | undefined {
  const { who, verb, path, list, allowed, follow, isRead = false } = question
  const refuse = (more = ''): string => refusalOf(who, `${verb} ${path}${more}`, list, allowed)
  if (!path.startsWith('/')) return refuse()
  const found = follow(path)
  // But in the owner's own words: /dev/stdout, say, which leads each process elsewhere.
  if (found === undefined)
    return allowed?.includes(path) ? undefined : refuse(', and where that leads can not be known')
  if (!isAllowedPath(found, allowed ?? [], follow)) return refuse(describeEnd(path, found))
  const change = found.changeable ?? (isRead ? found.writable : undefined)
  if (change === undefined) return undefined
  return `${who} may not ${verb} ${path}: others can change what that is, so policy.${list} of the host configuration can't bound it: ${change}`
}

function describeEnd(path: string, { entry, end }: PathEnd): string {
  if (end === path || (end === entry && path.endsWith(end))) return ''
  return `, which is ${end}`
}

function refusal(facility: Facility, what: string, list: keyof Policy, allowed: readonly string[] | undefined): string {
  return refusalOf(`facility ${facility.name}`, what, list, allowed)
}

function refusalOf(who: string, what: string, list: keyof Policy, allowed: readonly string[] | undefined): string {
  const given = allowed?.length === 0 ? 'it is empty' : `it has ${allowed?.join(', ')}`
  const said = allowed === undefined ? 'it is not given' : given
  return `${who} may not ${what}: not allowed by policy.${list} of the host configuration (${said})`
}
