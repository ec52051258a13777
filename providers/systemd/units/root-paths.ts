import { dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { describeUnsafePart } from '../../../src/core/paths/path-safety.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { findUnsafeFilePart } from '../../../src/host/file-safety.ts'
import { nullDevice } from '../../../src/host/service-paths.ts'
import { fileCredential } from './process-inputs.ts'
import { escapeSpecifiers } from './quoting.ts'
import { readSections } from './unit-file.ts'

/** Path that systemd opens for a unit with its own rights, before it takes on those of the service's user. */
interface RootPath {
  /** Action on the path, for people: `append output to`. */
  readonly act: string
  readonly path: string
  /**
   * `output`: the path has to be a regular file. `secret`: systemd would read everything in a directory, and follow links.
   */
  readonly kind?: 'output' | 'secret'
}

/**
 * Reason why systemd must not start units with these texts, which Reeve has written: root would follow a user who can
 * redirect it, by a symlink for instance (S8). If nobody can, nobody can change that between this check and the start.
 */
export function findRootPathProblems(texts: readonly string[], host: ReadHost): string[] {
  if (host.userId() !== 0) return []
  try {
    const paths = texts.flatMap(text => findRootPaths(text, host))
    return [...new Set(paths.flatMap(path => findProblem(path, host) ?? []))]
  } catch (error) {
    return [messageOf(error)]
  }
}

export function refuseRootPaths(texts: readonly string[], host: ReadHost): void {
  const problems = findRootPathProblems(texts, host)
  if (problems.length > 0) throw new ReeveError('insecure', problems.join('; '))
}

function findProblem({ act, path, kind }: RootPath, host: ReadHost): string | undefined {
  try {
    const unsafe = findUnsafeFilePart(path, host)
    if (unsafe) return `systemd must not ${act} ${path} as root: ${describeUnsafePart(unsafe)}`
    if (kind === 'secret' && host.facts(host.realPath(path) ?? path)?.kind === 'directory') {
      return `cannot ${act} ${path}: expected a file, found a directory`
    }
    return kind === 'output' ? findOutputProblem(path, host) : undefined
  } catch (error) {
    return `systemd must not ${act} ${path} as root: ${messageOf(error)}`
  }
}

/** Reason why a file can't take a service's output; undefined if it can, or doesn't exist yet. */
export function findOutputProblem(path: string, host: ReadHost): string | undefined {
  const kind = host.facts(path)?.kind
  if (kind === undefined || kind === 'file') return undefined
  const what = { directory: 'a directory', symlink: 'a symlink', other: 'a device, pipe or socket' }[kind]
  return `cannot append output to ${path}: expected a regular file, found ${what}; remove it, or choose another path`
}

/** Problems known beforehand of an output file that the service's user opens. */
export function findServiceOutputProblems(process: Process, host: ReadHost): string[] {
  // The directory belongs to the user, who may have created a loop of links.
  return tryTo(() => lookForOutputProblems(process, host)) ?? []
}

function lookForOutputProblems({ output, user }: Process, host: ReadHost): string[] {
  if (output === undefined || output.file === nullDevice) return []
  const { file } = output
  const problem = findOutputProblem(file, host)
  if (problem !== undefined) return [problem]
  const uid = user === undefined ? undefined : host.findUser(user)?.uid
  const facts = host.facts(file)
  // An access list shows as rights of the group.
  if (!facts || uid === undefined || facts.uid === uid || (facts.mode & 0o022) !== 0) return []
  const unsafe = findUnsafeFilePart(file, host)
  if (!unsafe) return []
  const found = `${file} (owner ${facts.uid}, mode ${(facts.mode & 0o7777).toString(8).padStart(4, '0')})`
  return [
    `user ${user} cannot append output to ${found}, and root does not do it for them, as ${unsafe.path} can be changed by others: ` +
      `move that file away (mv ${file} ${file}.old), or use a directory that only root can write`,
  ]
}

function findRootPaths(text: string, host: ReadHost): RootPath[] {
  // Most have none, and there may be thousands.
  if (!anyKey.test(text)) return []
  const { Service = {}, Socket = {} } = readSections(text)
  const found: RootPath[] = []
  for (const value of outputKeys.flatMap(key => Service[key] ?? [])) {
    const [, how, path] = /^(file|append|truncate):(.*)$/.exec(value) ?? []
    if (path === undefined) continue
    found.push(how === 'append' ? { act: 'append output to', path, kind: 'output' } : { act: 'open', path })
  }
  for (const value of Service.EnvironmentFile ?? []) {
    const paths = expandPattern(expandPath(value.replace(/^-/, '')), host)
    found.push(...paths.map(path => ({ act: 'read the environment file', path: escapeSpecifiers(path) })))
  }
  for (const value of credentialKeys.flatMap(key => Service[key] ?? [])) {
    const [, name, path = ''] = /^([^:]*):(.*)$/.exec(value) ?? [undefined, '', value]
    const isFile = name.startsWith(fileCredential)
    found.push({ act: isFile ? 'read the environment file' : 'read the secret', path, kind: 'secret' })
  }
  for (const value of Service.OpenFile ?? []) found.push({ act: 'open', path: value.replace(/:.*$/, '') })
  for (const path of socketKeys.flatMap(key => Socket[key] ?? [])) found.push({ act: 'listen at', path })
  for (const path of (Socket.Symlinks ?? []).flatMap(value => value.split(/\s+/))) {
    found.push({ act: 'make the symlink', path })
  }
  return found.map(one => ({ ...one, path: expandPath(one.path) })).filter(({ path }) => path.startsWith('/'))
}

const anyKey = /^\s*(?:Standard|EnvironmentFile|LoadCredential|OpenFile|Listen|Symlinks)/m
const outputKeys = ['StandardInput', 'StandardOutput', 'StandardError']
const credentialKeys = ['LoadCredential', 'LoadCredentialEncrypted']
const socketKeys = ['ListenStream', 'ListenDatagram', 'ListenSequentialPacket', 'ListenFIFO', 'ListenSpecial']

/** Specifiers for directories. All others depend on the host or the unit, and contain no slash. */
function expandPath(path: string): string {
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    t: '/run',
    S: '/var/lib',
    C: '/var/cache',
    L: '/var/log',
    E: '/etc',
    T: '/tmp',
    V: '/var/tmp',
    h: '/root',
  }
  return path.replace(/%(.)/g, (all, letter: string) => known[letter] ?? all)
}

/**
 * Paths that a pattern of `EnvironmentFile=` has systemd open, as far as they can be known: in its directory, those that are
 * links, which lead elsewhere. Throws ReeveError for a pattern of directories, as others may create such directories.
 */
function expandPattern(pattern: string, host: ReadHost): string[] {
  const plain = pattern.replace(/\\(.)/g, '$1')
  if (!isPattern(pattern)) return [plain]
  const directory = dirname(pattern)
  if (isPattern(directory)) {
    throw new ReeveError('invalid', `EnvironmentFile=${pattern} has a pattern of directories: name each directory`)
  }
  const place = dirname(plain)
  const links = (host.readDirectory(place) ?? []).map(name => join(place, name))
  return [plain, ...links.filter(path => host.facts(path)?.kind === 'symlink')]
}

function isPattern(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\./g, ''))
}
