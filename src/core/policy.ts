import type { Facility } from './facility.ts'
import type { Policy } from './host-configuration.ts'

/** Something that a facility asks for and the host's owner doesn't allow. */
export interface PolicyProblem {
  readonly code:
    | 'policy-supervisor'
    | 'policy-user'
    | 'policy-group'
    | 'policy-command'
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
}

/** A `kind: Supervisor` document, as far as the policy looks at it. */
export interface SupervisorDeclaration {
  readonly name: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

/** What of a facility the host's policy (S3) forbids. */
export function checkPolicy(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  return [
    ...checkSupervisor(facility, policy),
    ...checkUser(facility, policy, context),
    ...checkGroup(facility, policy),
    ...checkConfig(facility, policy, context),
    ...checkCommands(facility, policy),
    ...checkFiles(facility, policy),
    ...checkReads(facility, policy),
  ]
}

/**
 * What of a declared supervisor the policy forbids: every absolute path among its options, whatever its provider does there,
 * is where Reeve writes with its own rights, or whom it obeys.
 */
export function checkSupervisorPolicy(supervisor: SupervisorDeclaration, policy: Policy): PolicyProblem[] {
  const isRestricted = Object.values(policy).some(list => list !== undefined)
  const allowed = policy.supervisorDirectories ?? (isRestricted ? [] : undefined)
  if (allowed === undefined) return []
  const { name, type, options } = supervisor
  return absolutePathsOf(options, ['spec', type])
    .filter(({ value }) => !startsWithAny(value, allowed))
    .map(({ value, path }) => {
      const message = refusalOf(`supervisor ${name}`, `use the directory ${value}`, 'supervisorDirectories', allowed)
      return { code: 'policy-file', message, path }
    })
}

interface PlacedText {
  readonly value: string
  readonly path: PolicyProblem['path']
}

function absolutePathsOf(value: unknown, path: PolicyProblem['path']): PlacedText[] {
  if (typeof value === 'string') return value.startsWith('/') ? [{ value, path }] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => absolutePathsOf(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => absolutePathsOf(item, [...path, key]))
}

function checkSupervisor(facility: Facility, policy: Policy): PolicyProblem[] {
  const { supervisors } = policy
  if (supervisors === undefined || supervisors.includes(facility.supervisor)) return []
  const message = refusal(facility, `use the supervisor ${facility.supervisor}`, 'supervisors', supervisors)
  return [{ code: 'policy-supervisor', message, path: ['spec', 'supervisor'] }]
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
  const message = refusal(facility, `run with the group ${group}`, 'groups', policy.groups ?? [])
  return [{ code: 'policy-group', message, path: ['spec', 'process', 'group'] }]
}

/** Secrets and environment files are read with Reeve's rights, and end up in the service's hands. */
function checkReads(facility: Facility, policy: Policy): PolicyProblem[] {
  const { reads } = policy
  const { process } = facility
  if (reads === undefined || process === undefined) return []
  const problems: PolicyProblem[] = []
  for (const [name, value] of Object.entries(process.environment)) {
    if (typeof value === 'string' || startsWithAny(value.fromFile, reads)) continue
    const message = refusal(facility, `read ${value.fromFile}`, 'reads', reads)
    problems.push({ code: 'policy-read', message, path: ['spec', 'process', 'environment', name, 'fromFile'] })
  }
  for (const [index, file] of process.environmentFiles.entries()) {
    if (startsWithAny(file, reads)) continue
    const message = refusal(facility, `read ${file}`, 'reads', reads)
    problems.push({ code: 'policy-read', message, path: ['spec', 'process', 'environmentFiles', index] })
  }
  return problems
}

/** Native configuration can name any user and any command, so it would be a way around the lists of these. */
function checkConfig(facility: Facility, policy: Policy, context: PolicyContext): PolicyProblem[] {
  if (facility.config === undefined) return []
  const isRestricted = policy.users !== undefined || policy.commands !== undefined
  const allowed = policy.config ?? (isRestricted ? [] : undefined)
  if (allowed === undefined || allowed.includes(context.type)) return []
  const message = refusal(facility, `have native configuration for ${context.type}`, 'config', allowed)
  return [{ code: 'policy-config', message, path: ['spec', 'config', context.type] }]
}

function checkCommands(facility: Facility, policy: Policy): PolicyProblem[] {
  const { commands } = policy
  if (commands === undefined) return []
  const problems: PolicyProblem[] = []
  for (const { command, path } of commandsOf(facility)) {
    const program = command[0] ?? ''
    if (startsWithAny(program, commands)) continue
    const hint = program.startsWith('/') ? '' : '; give the program by its absolute path'
    const message = `${refusal(facility, `run ${program}`, 'commands', commands)}${hint}`
    problems.push({ code: 'policy-command', message, path: [...path, 0] })
  }
  return problems
}

function commandsOf(facility: Facility): { command: readonly string[]; path: readonly string[] }[] {
  const { process, health } = facility
  const commands: { command: readonly string[]; path: readonly string[] }[] = []
  if (process !== undefined) commands.push({ command: process.command, path: ['spec', 'process', 'command'] })
  if (process?.reload !== undefined && 'command' in process.reload) {
    commands.push({ command: process.reload.command, path: ['spec', 'process', 'reload', 'command'] })
  }
  if (health?.check.type === 'exec') {
    commands.push({ command: health.check.command, path: ['spec', 'health', 'exec', 'command'] })
  }
  return commands
}

function checkFiles(facility: Facility, policy: Policy): PolicyProblem[] {
  const { files } = policy
  if (files === undefined) return []
  const problems: PolicyProblem[] = []
  for (const [index, file] of facility.files.entries()) {
    if (startsWithAny(file.path, files)) continue
    const message = refusal(facility, `write ${file.path}`, 'files', files)
    problems.push({ code: 'policy-file', message, path: ['spec', 'files', index, 'path'] })
  }
  const output = facility.process?.output?.file
  if (output !== undefined && !startsWithAny(output, files)) {
    const message = refusal(facility, `write ${output}`, 'files', files)
    problems.push({ code: 'policy-file', message, path: ['spec', 'process', 'output', 'file'] })
  }
  return problems
}

function refusal(facility: Facility, what: string, list: string, allowed: readonly string[]): string {
  return refusalOf(`facility ${facility.name}`, what, list, allowed)
}

function refusalOf(who: string, what: string, list: string, allowed: readonly string[]): string {
  const said = allowed.length === 0 ? 'it is empty' : `it has ${allowed.join(', ')}`
  return `${who} may not ${what}: not allowed by policy.${list} of the host configuration (${said})`
}

/** Whole path components count: /usr/bin is a prefix of /usr/bin/node, and not of /usr/bin-evil. */
function startsWithAny(path: string, prefixes: readonly string[]): boolean {
  if (!path.startsWith('/')) return false
  const parts = partsOf(path)
  return prefixes.some(prefix => partsOf(prefix).every((part, index) => parts[index] === part))
}

/** The components of an absolute path, without `.`, `..` and empty ones. */
function partsOf(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}
