import { basename, dirname } from 'node:path'
import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import type { Process } from '../core/model/facility.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'
import { describeUnsafePart, type UnsafePart } from '../core/paths/path-safety.ts'
import { tryTo } from '../core/try-to.ts'
import { findUnsafeFilePart } from './file-safety.ts'
import { describeFacts, findClosedDirectory, may } from './user-rights.ts'

/** The one device that output may go to: it is discarded. */
export const nullDevice = '/dev/null'

/**
 * With whose rights something is done for a service on a path (S8). `self`: with those of this process, since only root can
 * change the directories on the way, or since it isn't root. `user`: as the service's user. `nobody`: others could lead root
 * elsewhere, and the service has no user but root.
 */
export type Actor =
  | { readonly as: 'self' }
  | { readonly as: 'user' }
  | { readonly as: 'nobody'; readonly unsafe: UnsafePart }

/** `uid`: of the service's user; undefined if it runs as this process does. */
export function chooseActor(path: string, uid: number | undefined, host: ReadHost): Actor {
  if (host.userId() !== 0) return { as: 'self' }
  const unsafe = findUnsafeFilePart(path, host)
  if (!unsafe) return { as: 'self' }
  return uid === undefined || uid === 0 ? { as: 'nobody', unsafe } : { as: 'user' }
}

/**
 * The paths of a process that others than root can lead elsewhere: root must not open them for it, but its own user may. Empty
 * where Reeve and the service are the same user: it makes no difference who opens them.
 */
export function findServicePaths(process: Process, host: ReadHost): ReadonlySet<string> {
  const { user, environment, environmentFiles, output } = process
  if (user !== undefined && host.findUser(user)?.uid === 0) return new Set()
  const secrets = Object.values(environment).flatMap(value => (typeof value === 'string' ? [] : [value.fromFile]))
  const paths = [...secrets, ...environmentFiles, ...(output ? [output.file] : [])]
  return new Set(paths.filter(path => isUnsafe(path, host)))
}

function isUnsafe(path: string, host: ReadHost): boolean {
  // Where root can't tell, it keeps away.
  return tryTo(() => host.userId() === 0 && findUnsafeFilePart(path, host) !== undefined) ?? true
}

/** Problem of a path of a process on this host. */
export interface PathProblem {
  readonly field: 'output.file' | 'environment.fromFile' | 'environmentFiles'
  readonly message: string
}

export interface PathCheckOptions {
  /** True: what is missing or closed says nothing: it is made later, or the manifests are meant for another host. */
  readonly isTentative?: boolean
}

/**
 * Why a service's output can't go to the file that it declares: undefined if it can, as far as can be seen. Allowed are a
 * regular file, or none yet, and /dev/null, under every provider. Whoever opens the file checks again.
 */
export function findOutputProblem(
  process: Process,
  host: ReadHost,
  options: PathCheckOptions = {},
): PathProblem | undefined {
  const file = process.output?.file
  if (file === undefined || file === nullDevice) return undefined
  // What can't be inspected from here shows when it is used.
  const message = tryTo(() => {
    const problem = isLoggerLink(file, host) ? undefined : describeKind(file, host.facts(file))
    return problem ?? findWritingProblem(file, process, host, options)
  })
  return message === undefined ? undefined : { field: 'output.file', message }
}

/** The loggers of scan directories leave one in the place of the file, to what they write in a directory beside it. */
export function isLoggerLink(file: string, host: ReadHost): boolean {
  return host.facts(file)?.kind === 'symlink' && host.readLink(file) === `${basename(file)}.d/current`
}

/** Why secrets and environment files can't be read for a service; empty if all can, as far as can be seen. */
export function findReadProblems(
  process: Process,
  host: ReadHost,
  options: PathCheckOptions = {},
): readonly PathProblem[] {
  const problems: PathProblem[] = []
  const check = (field: PathProblem['field'], path: string): void => {
    const message = tryTo(() => findReadingProblem(path, process, host, options))
    if (message !== undefined) problems.push({ field, message })
  }
  for (const path of process.environmentFiles) check('environmentFiles', path)
  for (const value of Object.values(process.environment)) {
    if (typeof value !== 'string') check('environment.fromFile', value.fromFile)
  }
  return problems
}

/** Why output can't be appended to what is there; undefined if it can. */
export function describeKind(file: string, facts: FileFacts | undefined): string | undefined {
  if (!facts || facts.kind === 'file') return undefined
  if (facts.kind === 'symlink') return `${file} is a symlink; name the file that it leads to, or remove the link`
  const found = facts.kind === 'directory' ? 'a directory' : 'a device, pipe or socket'
  return `${file} is ${found}; output goes to a regular file or to ${nullDevice}`
}

/** Why neither root nor the service's user can do it; for people. */
export function describeNobody(path: string, unsafe: UnsafePart): string {
  return `root cannot use ${path} for a service that runs as root: ${describeUnsafePart(unsafe)}, or give the service a user of its own`
}

function findWritingProblem(
  file: string,
  process: Process,
  host: ReadHost,
  { isTentative = false }: PathCheckOptions,
): string | undefined {
  const directory = dirname(file)
  const user = findUser(process, host)
  if (user === 'unknown') return undefined
  const actor = chooseActor(file, user?.uid, host)
  if (actor.as === 'nobody') return describeNobody(file, actor.unsafe)
  if (isTentative) return undefined
  const facts = host.facts(host.realPath(directory) ?? directory)
  if (!facts) return `there is no directory ${directory} for the output; create it`
  if (actor.as === 'self' || !user) return undefined
  const closed = findClosedDirectory(directory, user, host)
  if (closed !== undefined) return `user ${user.name} cannot reach ${file}: ${closed}`
  const existing = host.facts(file)
  if (existing && !may(file, existing, user, ['w'], host)) {
    return `user ${user.name} cannot write ${describeFacts(file, existing)}`
  }
  if (!existing && !may(directory, facts, user, ['w', 'x'], host)) {
    return `user ${user.name} cannot make ${file} in ${describeFacts(directory, facts)}`
  }
  return undefined
}

function findReadingProblem(
  path: string,
  process: Process,
  host: ReadHost,
  { isTentative = false }: PathCheckOptions,
): string | undefined {
  const user = findUser(process, host)
  if (user === 'unknown') return undefined
  const actor = chooseActor(path, user?.uid, host)
  if (actor.as === 'nobody') return describeNobody(path, actor.unsafe)
  if (isTentative) return undefined
  if (actor.as === 'self' || !user) return undefined
  const closed = findClosedDirectory(dirname(path), user, host)
  if (closed !== undefined) return `user ${user.name} cannot reach ${path}: ${closed}`
  const facts = host.facts(path)
  if (facts?.kind === 'file' && !may(path, facts, user, ['r'], host)) {
    return `user ${user.name} cannot read ${describeFacts(path, facts)}`
  }
  return undefined
}

/** The user that the service runs as, with the group that it declares; undefined if it declares none. */
export function findUser(process: Process, host: ReadHost): UserIdentity | 'unknown' | undefined {
  if (process.user === undefined) return undefined
  const found = host.findUser(process.user)
  if (!found) return 'unknown'
  const gid = process.group === undefined ? found.gid : host.findGroup(process.group)
  return { name: process.user, uid: found.uid, gid: gid ?? found.gid }
}
