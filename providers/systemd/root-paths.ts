import type { Process } from '../../src/core/facility.ts'
import { describeUnsafePart } from '../../src/core/path-safety.ts'
import type { ReadHost } from '../../src/core/provider.ts'
import { messageOf, ReeveError } from '../../src/core/reeve-error.ts'
import { findUnsafeFilePart } from '../../src/host/file-safety.ts'
import { nullDevice } from './process-inputs.ts'
import { readSections } from './unit-file.ts'

/** A path that systemd opens for a unit with its own rights, before it takes on those of the service's user. */
interface RootPath {
  /** What is done there, for people: `append output to`. */
  readonly act: string
  readonly path: string
  /** True: what is there has to be a regular file. */
  readonly isFile?: boolean
}

/**
 * Why systemd must not start units with these texts, which Reeve has written: root would follow whoever can lead it elsewhere,
 * by a symlink for instance (S8). Where it can't, nobody can change that between this look and the start.
 */
export function findRootPathProblems(texts: readonly string[], host: ReadHost): string[] {
  if (host.userId() !== 0) return []
  const paths = texts.flatMap(text => findRootPaths(text))
  return [...new Set(paths.flatMap(path => findProblem(path, host) ?? []))]
}

export function refuseRootPaths(texts: readonly string[], host: ReadHost): void {
  const problems = findRootPathProblems(texts, host)
  if (problems.length > 0) throw new ReeveError('insecure', problems.join('; '))
}

function findProblem({ act, path, isFile = false }: RootPath, host: ReadHost): string | undefined {
  try {
    const unsafe = findUnsafeFilePart(path, host)
    if (unsafe) return `systemd must not ${act} ${path} as root: ${describeUnsafePart(unsafe)}`
    return isFile ? findOutputProblem(path, host) : undefined
  } catch (error) {
    return `systemd must not ${act} ${path} as root: ${messageOf(error)}`
  }
}

/** Why a file can't be what a service's output is appended to; undefined if it can, or isn't there yet. */
export function findOutputProblem(path: string, host: ReadHost): string | undefined {
  const kind = host.facts(path)?.kind
  if (kind === undefined || kind === 'file') return undefined
  const what = { directory: 'a directory', symlink: 'a symlink', other: 'a device, pipe or socket' }[kind]
  return `cannot append output to ${path}: expected a regular file, found ${what}; remove it, or choose another path`
}

/** What can be known beforehand of an output file that the service's user opens. */
export function findServiceOutputProblems({ output, user }: Process, host: ReadHost): string[] {
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
      `give them the file (chown ${user} ${file}), or use a directory that only root can write`,
  ]
}

function findRootPaths(text: string): RootPath[] {
  const { Service = {}, Socket = {} } = readSections(text)
  const found: RootPath[] = []
  const values = (section: typeof Service, ...keys: string[]): readonly string[] =>
    keys.flatMap(key => section[key] ?? [])
  for (const value of values(Service, 'StandardInput', 'StandardOutput', 'StandardError')) {
    const [, how, path] = /^(file|append|truncate):(.*)$/.exec(value) ?? []
    if (how === undefined || path === undefined) continue
    found.push({ act: how === 'append' ? 'append output to' : 'open', path, isFile: how === 'append' })
  }
  for (const value of values(Service, 'EnvironmentFile')) {
    found.push({ act: 'read the environment file', path: unescapeGlob(value.replace(/^-/, '')) })
  }
  for (const value of values(Service, 'LoadCredential', 'LoadCredentialEncrypted')) {
    const [, path] = /^[^:]*:(.*)$/.exec(value) ?? []
    if (path !== undefined) found.push({ act: 'read the secret', path })
  }
  for (const value of values(Socket, 'ListenStream', 'ListenDatagram', 'ListenSequentialPacket', 'ListenFIFO')) {
    found.push({ act: 'listen at', path: value })
  }
  for (const value of values(Socket, 'Symlinks')) {
    for (const path of value.split(/\s+/)) found.push({ act: 'make the symlink', path })
  }
  return found.flatMap(({ path, ...rest }) => {
    const expanded = expandPath(path)
    return expanded.startsWith('/') ? [{ ...rest, path: expanded }] : []
  })
}

/** The specifiers of directories. What else there is tells of the host or the unit, and has no slash in it. */
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

/** Of a pattern, all that it can match lies in the directory before the first part that is one. */
function unescapeGlob(pattern: string): string {
  const parts = pattern.split('/')
  const first = parts.findIndex(part => /[*?[]/.test(part.replace(/\\./g, '')))
  const plain = first < 0 ? pattern : [...parts.slice(0, first), 'any'].join('/')
  return plain.replace(/\\(.)/g, '$1')
}
