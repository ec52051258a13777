import type { SourceStatus } from '../../core/contracts/source-status.ts'
import type { GitSourceConfiguration } from '../../core/model/source-configuration.ts'
import { findInsecurePath, lookupIn } from '../../core/paths/path-permissions.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { localFiles } from '../../manifest/read/manifest-files.ts'
import { type Admission, type GitSource, openGitSource } from '../../source/git-source.ts'
import { describeWish, isRange } from '../../source/reference-choice.ts'
import { sourceDirectory } from '../../source/source-place.ts'
import { factsOf } from '../../source/source-report.ts'
import { keyOf, readSourceState } from '../../source/source-state.ts'
import type { Session } from './session.ts'
import { findMarks } from './source-marks.ts'

/** What a session needs to follow its source. */
export type SourceSession = Pick<
  Session,
  'configuration' | 'followsSource' | 'readHost' | 'openWriteHost' | 'clock' | 'manifests'
>

/**
 * Opens the Git repository that the host configuration names; see `Session.followsSource`. Only for those who hold the lock. Throws ReeveError: `invalid` for a range that is none, `not-found` for a file of keys that isn't there, `insecure` for
 * one that others can write.
 */
export function openSource(session: Session, admission?: Admission): GitSource {
  const found = findSource(session)
  if (!found) throw new ReeveError('internal', 'there is no source')
  expectUsable(found, session)
  return openGitSource({
    directory: sourceDirectory(session.configuration.stateDirectory),
    url: found.url,
    access: found.access,
    wish: found.wish,
    path: found.path,
    ...(found.verify && { verify: found.verify }),
    ...(admission && { admission }),
    findMarks: signal => findMarks(session, signal),
    host: session.openWriteHost(),
    clock: session.clock,
    searchPath: toolPath(),
  })
}

/** As far as it can be told where no controller follows it. Undefined: there is none. */
export function readSource(session: SourceSession): SourceStatus | undefined {
  const found = findSource(session)
  if (!found) return undefined
  const { configuration, readHost, clock } = session
  const { revision } = readSourceState(sourceDirectory(configuration.stateDirectory), keyOf(found), readHost)
  return {
    url: found.url.text,
    wanted: describeWish(found.wish),
    ...(revision && { revision: factsOf(revision) }),
    fetchedAt: null,
    condition: {
      reason: 'NotFollowed',
      message: 'no controller runs, so nothing is fetched',
      since: new Date(clock.now()).toISOString(),
    },
  }
}

export function findSource({
  configuration: { source },
  followsSource,
}: SourceSession): GitSourceConfiguration | undefined {
  return followsSource && source?.type === 'git' ? source : undefined
}

/** What speaks for this host, and what it believes, must be in nobody else's hands (S1). */
export function expectUsable(
  { access, wish, verify, webhook }: GitSourceConfiguration,
  { manifests }: SourceSession,
): void {
  if (wish.kind === 'semver' && !isRange(wish.range)) {
    throw new ReeveError('invalid', `source.git.semver: expected a range of versions such as ^1.2, found ${wish.range}`)
  }
  const { file: signers, revoked, keyring: gpgKeyring } = verify?.signers ?? {}
  const keys = Object.entries({ signers, revoked, gpgKeyring }).map(([name, path]) => [`verify.${name}`, path] as const)
  const files = Object.entries(access).map(([name, path]) => [`auth.${name}`, path] as const)
  const secret = webhook ? [['webhook.secretFile', webhook.secretFile] as const] : []
  for (const [name, path] of [...files, ...keys, ...secret]) {
    if (path === undefined) continue
    if (!isThere(path)) throw new ReeveError('not-found', `source.git.${name}: there is no file ${path}`)
    if (!manifests.runsAsRoot || manifests.insecurePermissions) continue
    const insecure = findInsecurePath(path, lookupIn(localFiles), 0)
    if (insecure) throw new ReeveError('insecure', `source.git.${name} is not safe: ${insecure.message}`)
  }
}

/** Where git, ssh-keygen and gpgv are looked for. */
export function toolPath(): string {
  return process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'
}

function isThere(path: string): boolean {
  try {
    localFiles.facts(localFiles.realPath(path))
    return true
  } catch {
    return false
  }
}

const shortestSecret = 16

/** What the forge was told. Throws ReeveError `invalid` for one that could be guessed. */
export function readWebhookSecret(path: string, { readHost }: Pick<Session, 'readHost'>): string {
  const secret = (readHost.readText(path, 64 * 1024) ?? '').replace(/\r?\n$/, '')
  if (secret.length >= shortestSecret) return secret
  throw new ReeveError(
    'invalid',
    `source.git.webhook.secretFile: expected at least ${shortestSecret} characters in ${path}`,
  )
}
