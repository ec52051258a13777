import type { ReadHost } from '../core/contracts/host.ts'
import { environmentFileLimit, parseEnvironmentFile } from '../core/model/environment-file.ts'
import type { StartNeeds } from '../core/model/start-needs.ts'
import { messageOf } from '../core/reeve-error.ts'
import { findInterpreterProblem, findProgramProblem, type ProgramCheck, usualSearchPath } from './program-check.ts'
import { chooseActor } from './service-paths.ts'
import { findClosedDirectory, may, type RightsOf } from './user-rights.ts'

/**
 * Why a start with these needs is certain to fail on this host as it is now, for people; empty if nothing is known to be in its way.
 * It looks with the eyes of the service's user, and shows nothing of what is in a secret.
 */
export function findStartProblems(needs: StartNeeds, host: ReadHost): readonly string[] {
  const problems: string[] = []
  const look = (find: () => string | undefined): void => {
    try {
      const problem = find()
      if (problem !== undefined) problems.push(problem)
    } catch {
      // What can't be inspected from here shows when it is used.
    }
  }
  look(() => findAccountProblem(needs, host))
  const user = problems.length === 0 ? findRights(needs, host) : undefined
  if (!user) return problems // whose eyes would it be seen with?
  const { workingDirectory, secrets, environmentFiles } = needs
  if (workingDirectory !== undefined) look(() => findDirectoryProblem(workingDirectory, user, host))
  const variables = new Map<string, string>()
  let isKnown = true
  for (const path of environmentFiles) {
    look(() => {
      const found = readVariables(path, user, host)
      if (typeof found === 'string') return found
      if (found === undefined) isKnown = false
      for (const [name, value] of Object.entries(found ?? {})) variables.set(name, value)
      return undefined
    })
  }
  for (const { what, path, remedy } of needs.files ?? []) {
    const problem = `there is no ${what} ${path}${remedy === undefined ? '' : `: ${remedy}`}`
    look(() => (host.realPath(path) === undefined ? problem : undefined))
  }
  for (const { variable, path } of secrets) look(() => findSecretProblem(variable, path, host))
  const isGiven = needs.searchPath === undefined && (!isKnown || secrets.some(({ variable }) => variable === 'PATH'))
  const searchPath = needs.searchPath ?? variables.get('PATH')?.split(':') ?? usualPath()
  const check: ProgramCheck = {
    user,
    host,
    workingDirectory: workingDirectory ?? '/',
    searchPath: isGiven ? undefined : searchPath,
  }
  look(() => findCommandProblem(needs, check))
  return problems
}

/** The Node that runs Reeve is among them, as for the services of the built-in supervisor. */
function usualPath(): readonly string[] {
  const own = process.execPath.slice(0, process.execPath.lastIndexOf('/'))
  return [...usualSearchPath, own]
}

function findCommandProblem({ program, firstLine }: StartNeeds, check: ProgramCheck): string | undefined {
  if (firstLine !== undefined) return findInterpreterProblem(firstLine, 'its script', check)
  return program === undefined ? undefined : findProgramProblem(program, check)
}

function findAccountProblem({ user, group, moreGroups = [] }: StartNeeds, host: ReadHost): string | undefined {
  if (user !== undefined && !findAccount(user, host)) return `there is no user ${user} on this host`
  const groups = [...(group === undefined ? [] : [group]), ...moreGroups]
  const missing = groups.find(name => findGroup(name, host) === undefined)
  return missing === undefined ? undefined : `there is no group ${missing} on this host`
}

function findRights({ user, group, moreGroups = [] }: StartNeeds, host: ReadHost): RightsOf | undefined {
  const named = user === undefined ? undefined : findAccount(user, host)
  const uid = named?.uid ?? host.userId()
  const own = (group === undefined ? named?.gid : findGroup(group, host)) ?? host.groupId()
  const more = new Set(moreGroups.flatMap(name => findGroup(name, host) ?? []))
  const name = user ?? (uid === 0 ? 'root' : host.findUserById(uid)?.name) ?? String(uid)
  return { name, uid, gid: own, ...(more.size > 0 && { moreGroups: more }) }
}

/** Most supervisors take a number for a user that has no name. */
function findAccount(user: string, host: ReadHost): Pick<RightsOf, 'uid' | 'gid'> | undefined {
  if (!isNumber(user)) return host.findUser(user)
  return host.findUserById(Number(user)) ?? { uid: Number(user), gid: Number(user) }
}

function findGroup(group: string, host: ReadHost): number | undefined {
  return isNumber(group) ? Number(group) : host.findGroup(group)
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name)
}

function findDirectoryProblem(directory: string, user: RightsOf, host: ReadHost): string | undefined {
  const real = host.realPath(directory)
  const facts = real === undefined ? undefined : host.facts(real)
  if (real === undefined || !facts) return `there is no working directory ${directory}`
  if (facts.kind !== 'directory') return `the working directory ${directory} is no directory`
  const closed = findClosedDirectory(real, user, host)
  return closed === undefined
    ? undefined
    : `user ${user.name} cannot enter the working directory ${directory}: ${closed}`
}

function findSecretProblem(variable: string, path: string, host: ReadHost): string | undefined {
  const kind = kindOf(path, host)
  if (kind === 'file') return undefined
  if (kind === undefined) return `there is no file ${path} for the secret of variable ${variable}`
  return `the secret of variable ${variable}, ${path}, is no regular file`
}

/** A problem, or what is in the file; undefined if that can't be read from here. */
function readVariables(
  path: string,
  user: RightsOf,
  host: ReadHost,
): string | Readonly<Record<string, string>> | undefined {
  const kind = kindOf(path, host)
  if (kind === undefined) return `there is no environment file ${path}`
  if (kind !== 'file') return `the environment file ${path} is no regular file`
  const size = host.facts(host.realPath(path) ?? path)?.size ?? 0
  if (size > environmentFileLimit) return `the environment file ${path} is larger than ${environmentFileLimit} bytes`
  const content = readAs(path, user, host)
  if (content === undefined) return undefined
  try {
    return parseEnvironmentFile(content, path)
  } catch (error) {
    return messageOf(error)
  }
}

/** Where others can redirect root, it reads only what the service's user may read. */
function readAs(path: string, user: RightsOf, host: ReadHost): Uint8Array | undefined {
  try {
    if (chooseActor(path, user.uid, host).as === 'self') return host.readFile(path, environmentFileLimit)
    const mayRead = (facts: Parameters<typeof may>[1]): boolean => may(path, facts, user, ['r'], host)
    return host.inspectFile(path, { limit: environmentFileLimit, mayRead })?.content
  } catch {
    return undefined
  }
}

function kindOf(path: string, host: ReadHost): 'file' | 'other' | undefined {
  const real = host.realPath(path)
  const facts = real === undefined ? undefined : host.facts(real)
  return facts && (facts.kind === 'file' ? 'file' : 'other')
}
