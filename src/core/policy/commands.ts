import type { Facility } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import { fitsAny } from '../model/name-pattern.ts'
import { isAmong } from '../paths/path-rule.ts'
import { findPathRefusal, type PolicyContext, type PolicyProblem, refusal } from './refusal.ts'
import { findSteering } from './steering-variables.ts'

export function checkCommands(facility: Facility, policy: Policy, { follow }: PolicyContext): PolicyProblem[] {
  if (policy.commands === undefined) return []
  const problems: PolicyProblem[] = []
  for (const { command, path, user } of commandsOf(facility)) {
    const program = command[0] ?? ''
    const refused = findPathRefusal({
      who: `facility ${facility.name}`,
      verb: 'run',
      path: program,
      list: 'commands',
      policy,
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
  /** The service's user may change the program's place, as that harms only itself. */
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

export function checkEnvironment(facility: Facility, policy: Policy): PolicyProblem[] {
  const allowed = policy.environment ?? (policy.commands === undefined ? undefined : [])
  if (allowed === undefined) return []
  return Object.keys(facility.process?.environment ?? {}).flatMap(name => {
    const why = fitsAny(name, allowed) ? undefined : findSteering(name)
    if (why === undefined) return []
    const message = `${refusal(facility, `set ${name}`, 'environment', policy)}: ${why}`
    return [{ code: 'policy-environment' as const, message, path: ['spec', 'process', 'environment', name] }]
  })
}

/** Environment files can set any variable, so only files that the repository can't write are allowed. */
export function checkEnvironmentFiles(
  facility: Facility,
  policy: Policy,
  { follow, places }: PolicyContext,
): PolicyProblem[] {
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
    const message = `${refusal(facility, `read variables from ${file}`, 'environment', policy)}: it can set any variable, and ${why}`
    return [{ code: 'policy-environment' as const, message, path: ['spec', 'process', 'environmentFiles', index] }]
  })
}
