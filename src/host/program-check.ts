import { basename, dirname, join, resolve } from 'node:path'
import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import { tryTo } from '../core/try-to.ts'
import { findElfLoader } from './elf-loader.ts'
import { describeFacts, findClosedDirectory, may, type RightsOf } from './user-rights.ts'

/** Default search path of programs. */
export const usualSearchPath: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
]

/** Of the first line of a script the kernel reads so much, in bytes; the headers of a binary are in it too. */
const headLength = 4_096

/** Longest chain of script interpreters. */
const mostInterpreters = 4

export interface ProgramCheck {
  readonly user: RightsOf
  readonly host: ReadHost
  /** Search path. Undefined: unknown. */
  readonly searchPath: readonly string[] | undefined
  readonly workingDirectory: string
}

/** Why the program can't be executed; undefined if it can, as far as can be seen. */
export function findProgramProblem(program: string, check: ProgramCheck, depth = 0): string | undefined {
  if (program.includes('/')) return findFileProblem(resolve(check.workingDirectory, program), check, depth)
  if (check.searchPath === undefined) return undefined
  let problem: string | undefined
  for (const directory of check.searchPath) {
    const path = join(resolve(check.workingDirectory, directory), program)
    if (!exists(path, check.host)) continue
    const found = findFileProblem(path, check, depth)
    if (found === undefined) return undefined
    problem ??= found
  }
  return problem ?? `there is no program ${program} in ${check.searchPath.join(':')}`
}

/** Why a script with that first line can't be executed, which stands in `path`. */
export function findInterpreterProblem(
  firstLine: string,
  path: string,
  check: ProgramCheck,
  depth = 0,
): string | undefined {
  const [, interpreter, rest = ''] = /^#![ \t]*([^ \t\n]+)[ \t]*([^\n]*)/.exec(firstLine) ?? []
  if (interpreter === undefined || depth >= mostInterpreters) return undefined
  const asked =
    findProgramProblem(resolve(check.workingDirectory, interpreter), check, depth + 1) ??
    (basename(interpreter) === 'env' ? findNamedProblem(rest, check, depth) : undefined)
  if (asked === undefined) return undefined
  const hint = /\r$/.test(interpreter) ? '; its lines end as those of Windows do' : ''
  return `${path} cannot be executed, as its first line asks for an interpreter: ${asked.replace(/\r/g, '\\r')}${hint}`
}

/** env(1) looks for its program as the service would. */
function findNamedProblem(words: string, check: ProgramCheck, depth: number): string | undefined {
  const [name] = words.split(/[ \t]+/).filter(word => word !== '-S' && word !== '')
  if (name === undefined || name.startsWith('-') || name.includes('=')) return undefined
  return findProgramProblem(name, check, depth + 1)
}

function exists(path: string, host: ReadHost): boolean {
  return tryTo(() => host.facts(path) !== undefined) ?? false
}

function findFileProblem(path: string, check: ProgramCheck, depth: number): string | undefined {
  const { host, user } = check
  const real = host.realPath(path)
  const facts = real === undefined ? undefined : host.facts(real)
  if (real === undefined || !facts) return describeMissing(path, host)
  if (facts.kind === 'directory') return `${path} is a directory, not a program`
  if (facts.kind !== 'file') return `${path} is no regular file, so it cannot be executed`
  if ((facts.mode & 0o111) === 0) {
    return `${describeFacts(real, facts)} is not executable; if it is the program, make it so (chmod +x ${real})`
  }
  const closed = findClosedDirectory(dirname(real), user, host)
  if (closed !== undefined) return `user ${user.name} cannot reach ${real}: ${closed}`
  if (!may(real, facts, user, ['x'], host)) {
    return `user ${user.name} cannot execute ${describeFacts(real, facts)}`
  }
  return findContentProblem(real, facts, check, depth)
}

function describeMissing(path: string, host: ReadHost): string {
  const target = host.facts(path)?.kind === 'symlink' ? host.readLink(path) : undefined
  return target === undefined
    ? `there is no program ${path}`
    : `there is no program ${path}: it is a symlink to ${target}, which does not exist`
}

/** Problem of a file's content. It is read only if the service's user may read it, and only a first line is shown. */
function findContentProblem(path: string, facts: FileFacts, check: ProgramCheck, depth: number): string | undefined {
  if (!may(path, facts, check.user, ['r'], check.host)) return undefined
  const head = tryReadHead(path, check.host)
  if (head === undefined) return undefined
  const text = Buffer.from(head).toString('latin1')
  if (text.startsWith('#!')) return findInterpreterProblem(text.split('\n')[0] ?? '', path, check, depth)
  const loader = findElfLoader(head)
  if (loader === undefined || check.host.realPath(loader) !== undefined) return undefined
  return `${path} cannot be executed: it was built for another system, as its loader ${loader} does not exist here`
}

function tryReadHead(path: string, host: ReadHost): Uint8Array | undefined {
  return tryTo(() => host.readPart(path, 0, headLength)?.content)
}
