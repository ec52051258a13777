import { homedir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import { type GitUrl, readGitUrl } from '../../core/model/git-url.ts'
import type { GitAccess, VerifyConfiguration } from '../../core/model/source-configuration.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type Checkout, findCheckout } from '../../source/checkout.ts'
import { copyDirectory, copyRepository, manifestsLink, sourceDirectory } from '../../source/source-place.ts'
import { keyOf, readSourceState, type SourceState } from '../../source/source-state.ts'
import { manifestsOf, type Session } from './session.ts'
import { expectUsable, findSource } from './source-opening.ts'

/** Repository in which revisions are looked up, and the directory of the manifests in it. */
export interface RevisionPlace {
  readonly url: GitUrl
  readonly access: GitAccess
  /** Below the repository's top. Empty: the top. */
  readonly path: string
  /** Where the manifests are once they are in force on the host that is planned for: relative paths in them start there. Absolute. */
  readonly inForce: string
  /** Git directory of a copy on this host, whose objects are read before the server is asked. */
  readonly alternate?: string
  /** A working tree of this host, whose names count. Absent: names are those of the server. */
  readonly checkout?: Checkout
  /** Whose signatures this host asks for. Absent: nobody's. */
  readonly verify?: VerifyConfiguration
  /** What this host remembers of it. Absent: it doesn't follow it. */
  readonly state?: SourceState
}

/** `URL#REF:PATH` of `--source`, taken apart. No revision: the default branch. */
export interface NamedSource {
  readonly url: string
  readonly revision: string
  readonly path: string
}

/** URLs of repositories hold no `#`, and names of branches and tags no colon. */
export function readNamedSource(text: string): NamedSource {
  const [, url = '', revision = '', path = ''] = /^([^#]*)(?:#([^:]*)(?::(.*))?)?$/s.exec(text) ?? []
  if (path.split('/').includes('..')) {
    throw new ReeveError('usage', `--source: the path must stay below the repository's top, without .., found ${path}`)
  }
  return { url, revision: revision === '' ? 'HEAD' : revision, path }
}

/** The repository of `--source`. It is asked with the host's own key or token where it is on the same server as the host's source. */
export function placeOfSource({ url: text, path }: NamedSource, session: Session, cwd: string): RevisionPlace {
  const reading = readGitUrl(text)
  if ('problem' in reading) throw new ReeveError('usage', `--source: ${reading.problem}`)
  const url = text.startsWith('.') ? { ...reading.url, text: resolve(cwd, text) } : reading.url
  const { stateDirectory } = session.configuration
  const inForce = session.hasDirectory ? session.directory : manifestsLink(sourceDirectory(stateDirectory))
  return { url, path, inForce, access: accessTo(url, session) }
}

/** The repository that this host follows; where it follows none, or a directory is named, that of the directory's checkout. */
export function placeOfSession(session: Session): RevisionPlace {
  return placeOfConfiguration(session) ?? placeOfCheckout(session)
}

/** Where the host that the configuration describes has its manifests. The command line may have named a checkout that they are in. */
export function directoryInForce({ configuration, directory }: Pick<Session, 'configuration' | 'directory'>): string {
  return manifestsOf(configuration) ?? directory
}

function placeOfConfiguration(session: Session): RevisionPlace | undefined {
  const source = findSource(session)
  if (!source) return undefined
  expectUsable(source, session)
  const { configuration } = session
  // Of this host, also where the session is of another one.
  const host = session.openWriteHost()
  const directory = sourceDirectory(configuration.stateDirectory)
  const copy = copyRepository(copyDirectory(directory))
  return {
    url: source.url,
    access: source.access,
    path: source.path,
    inForce: session.directory,
    ...(host.facts(join(copy, 'HEAD')) && { alternate: copy }),
    ...(source.verify && { verify: source.verify }),
    state: readSourceState(directory, keyOf(source), host),
  }
}

function placeOfCheckout({ directory, openWriteHost }: Pick<Session, 'directory' | 'openWriteHost'>): RevisionPlace {
  const host = openWriteHost()
  const real = resolveExisting(directory, host)
  const checkout = findCheckout(real, host)
  if (!checkout) {
    throw new ReeveError(
      'usage',
      `there is no repository to look up a revision in: ${directory} is in no checkout, and the host configuration names no source.git; name one with --source URL#REF`,
    )
  }
  return {
    url: { text: checkout.commonDirectory, transport: 'file' },
    access: {},
    path: relative(checkout.top, real),
    inForce: directory,
    alternate: checkout.commonDirectory,
    checkout,
  }
}

/** A directory of another revision need not exist in the working tree. */
function resolveExisting(path: string, host: Pick<ReadHost, 'realPath'>): string {
  const real = host.realPath(path)
  if (real !== undefined || path === '/') return real ?? path
  return join(resolveExisting(resolve(path, '..'), host), path.slice(path.lastIndexOf('/') + 1))
}

function accessTo(url: GitUrl, { configuration: { source } }: Session): GitAccess {
  if (source?.type === 'git' && url.host !== undefined && serverOf(url) === serverOf(source.url)) return source.access
  // A person's own keys are where ssh looks for them by itself.
  return url.transport === 'ssh' ? { knownHosts: join(homedir(), '.ssh/known_hosts') } : {}
}

function serverOf({ transport, host, port }: GitUrl): string {
  return JSON.stringify([transport, host, port])
}
