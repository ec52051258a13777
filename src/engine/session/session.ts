import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { ProbeHost, ReadHost, WriteHost } from '../../core/contracts/host.ts'
import { type Log, silentLog } from '../../core/contracts/log.ts'
import type { Provider } from '../../core/contracts/provider.ts'
import type { HostConfiguration } from '../../core/model/host-configuration.ts'
import { findInsecurePath, lookupIn } from '../../core/paths/path-permissions.ts'
import type { PolicyPlaces } from '../../core/policy/refusal.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { type Clock, createClock } from '../../host/clock.ts'
import { createElsewhereHost } from '../../host/elsewhere-host.ts'
import { packageDirectory, readPackageVersion } from '../../host/package-version.ts'
import { createPlaceFinder } from '../../host/path-place.ts'
import { createProbeHost } from '../../host/probe-host.ts'
import { createReadHost, type ReadHostOptions } from '../../host/read-host.ts'
import { createSharedBuses } from '../../host/shared-bus.ts'
import { createWriteHost } from '../../host/write-host.ts'
import { findHostConfigurationFile, loadHostConfiguration } from '../../manifest/host-configuration-file.ts'
import type { ManifestOptions } from '../../manifest/manifest-options.ts'
import type { SupervisorManifest } from '../../manifest/manifest-set.ts'
import { createParseCache, type ParseCache } from '../../manifest/parse/parse-cache.ts'
import { localFiles } from '../../manifest/read/manifest-files.ts'
import { createReadingMemory } from '../../manifest/read/manifest-reader.ts'
import { findCheckout } from '../../source/checkout.ts'
import { manifestsLink, sourceDirectory } from '../../source/source-place.ts'
import { createCheckedProvider } from './checked-provider.ts'
import { createObservers, type Observers } from './observers.ts'
import { loadProviders } from './provider-loading.ts'
import { type CommandLineSettings, sessionWords } from './session-words.ts'
import { readParseCache, writeParseCache } from './state-files.ts'
import { findPlace } from './supervisor-identity.ts'

export interface SessionOptions extends CommandLineSettings {
  /** Origin of the value, for messages: `given as DIR`. */
  readonly directoryOrigin?: string
  /** Read in place of what is in the host configuration's file, which need not exist. */
  readonly configurationText?: string
  readonly log?: Log
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Clock and host of a test harness. */
  readonly clock?: Clock
  /** Providers besides the built-in ones. */
  readonly extraProviders?: readonly Provider[]
  readonly createWriteHost?: (options: ReadHostOptions) => WriteHost
  readonly createReadHost?: (options: ReadHostOptions) => ReadHost
  /**
   * True: the host configuration describes a host that isn't this one. Nothing of this host is looked at, and
   * no provider is loaded from a checkout. Manifests and configuration may be writable by others.
   */
  readonly isElsewhere?: boolean
}

/** Session of a command: settings, providers, and handles on the host. Opening one writes nothing and asks no supervisor. */
export interface Session extends Disposable {
  readonly configuration: HostConfiguration
  /** Manifests directory, absolute, symlinks kept. */
  readonly directory: string
  /** True if the directory was given by an option or the host configuration. */
  readonly hasDirectory: boolean
  /** The directory is the revision in force of the Git repository in the host configuration. */
  readonly followsSource: boolean
  /** See `sessionWords`. */
  readonly words: string
  readonly manifests: ManifestOptions & { readonly parseCache: ParseCache; readonly places: PolicyPlaces }
  readonly providers: ReadonlyMap<string, Provider>
  readonly clock: Clock
  readonly log: Log
  readonly readHost: ReadHost
  /** Observers of supervisors, which end with the session. */
  readonly observers: Observers
  /** For health probes, which change nothing. */
  readonly probeHost: ProbeHost
  /** Only for the holder of the writer's lock, and for the temporary directory of `readRevision`. */
  openWriteHost(provider?: Provider): WriteHost
}

/** Throws ReeveError `invalid` or `insecure` if the host configuration or an outside provider cannot be used. */
export async function openSession(options: SessionOptions = {}): Promise<Session> {
  const { env = process.env, cwd = process.cwd(), isElsewhere = false } = options
  const insecurePermissions = isElsewhere || options.insecurePermissions === true
  const ownId = process.geteuid?.() ?? 0
  const hasOwnFile = options.config === undefined && existsSync(findHostConfigurationFile({ env, userId: ownId }))
  // A host that no file of this user describes is root's.
  const userId = isElsewhere && !hasOwnFile ? 0 : ownId
  const settings = {
    ...(options.config === undefined ? {} : { file: resolve(cwd, options.config) }),
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(cwd, options.stateDir) }),
    env,
    userId,
    insecurePermissions,
    text: options.configurationText,
  }
  const configuration = loadHostConfiguration(settings)
  const configFile = resolve(cwd, findHostConfigurationFile(settings))
  const { stateDirectory, runtimeDirectory, owner } = configuration
  if (!insecurePermissions) expectOwnDirectories(configuration, userId)
  const makeOwnReadHost = options.createReadHost ?? createReadHost
  const makeReadHost: typeof makeOwnReadHost = isElsewhere
    ? readOptions => createElsewhereHost(makeOwnReadHost(readOptions), userId)
    : makeOwnReadHost
  const makeWriteHost = options.createWriteHost ?? createWriteHost
  const readHost = makeReadHost({})
  const clock = options.clock ?? createClock()
  const named = options.directory ?? manifestsOf(configuration)
  const directory = resolve(cwd, named ?? 'manifests')
  const ownHost = makeOwnReadHost({})
  const loaded = await loadProviders(configuration.providers, ownHost, {
    checkPermissions: ownId === 0 && options.insecurePermissions !== true,
    closed: isElsewhere ? findTops([cwd, directory, dirname(configFile)], ownHost) : [],
  })
  for (const provider of options.extraProviders ?? []) loaded.set(provider.type, provider)
  const providers = new Map([...loaded].map(([type, provider]) => [type, createCheckedProvider(provider, clock)]))
  const directoryOrigin = originOf(options, configuration, configFile)
  const followsSource = options.directory === undefined && configuration.source?.type === 'git'
  const buses = createSharedBuses(clock)
  const accessOf = (provider?: Provider): ReadHostOptions => ({
    ...(provider && { ...provider.capabilities, provider: provider.type }),
    clock,
    buses,
  })
  const directoriesOf = ({ name, type, options }: SupervisorManifest): readonly string[] =>
    providers.get(type)?.directories?.({ name, type, options, stateDirectory, owner }) ?? []
  const log = options.log ?? silentLog
  const observers = createObservers({ clock, log, readHostFor: provider => makeReadHost(accessOf(provider)) })
  return {
    configuration,
    directory,
    hasDirectory: named !== undefined,
    followsSource,
    words: sessionWords(options, named !== undefined, { directory, config: configFile, stateDirectory }),
    manifests: {
      directory: displayPath(directory, cwd),
      directoryOrigin,
      ...(followsSource && {
        missing: `no revision of the Git repository has been fetched yet; nothing was changed. reeve sync fetches one, and reeve status says why it could not`,
      }),
      types: [...providers.keys()],
      defaultSupervisor: configuration.defaultSupervisor,
      schemaOf: type => providers.get(type)?.capabilities,
      createPlaceFinder: () => createPlaceFinder(readHost),
      placeOf: ({ name, type, options }, finder) => {
        const provider = providers.get(type)
        return provider && findPlace(provider, { name, type, options, stateDirectory, owner }, finder)
      },
      directoriesOf,
      policy: configuration.policy,
      places: {
        own: [
          directory,
          stateDirectory,
          runtimeDirectory,
          configFile,
          packageDirectory(),
          ...outsideFiles(configuration),
          ...sourceFiles(configuration),
        ],
        definitions: [...providers.keys()]
          .flatMap(type => directoriesOf({ name: type, type, options: {} }))
          .filter(path => path !== stateDirectory && !path.startsWith(`${stateDirectory}/`)),
        state: stateDirectory,
      },
      runsAsRoot: userId === 0,
      insecurePermissions,
      memory: createReadingMemory(),
      parseCache: createParseCache(readPackageVersion(), () => readParseCache(configuration.stateDirectory, readHost)),
    },
    providers,
    clock,
    log,
    readHost,
    probeHost: createProbeHost(readHost, clock),
    observers,
    openWriteHost: provider => makeWriteHost(accessOf(provider)),
    [Symbol.dispose]: () => observers[Symbol.dispose](),
  }
}

/** Control socket, in a directory that only its user can enter (S5), whatever the mode of the runtime directory is. */
export function controlSocketPath(configuration: HostConfiguration): string {
  return join(configuration.runtimeDirectory, 'control', 'control.sock')
}

/** Saves the parse cache after the manifests were read, so that the next process parses only what is new. */
export function saveParseCache({ manifests, configuration, openWriteHost, log }: Session): void {
  const content = manifests.parseCache.close()
  if (!content) return
  try {
    writeParseCache(configuration.stateDirectory, content, openWriteHost())
  } catch (error) {
    log.warn({ error: messageOf(error) }, `${messageOf(error)}; so the next reeve parses all manifests again`)
  }
}

/**
 * Throws ReeveError `insecure` if others can write Reeve's own directories or a directory above them: Reeve trusts what is in there
 * (the parse cache, the record, the controller's socket), for any user that runs it.
 */
export function expectOwnDirectories(
  { stateDirectory, runtimeDirectory }: Pick<HostConfiguration, 'stateDirectory' | 'runtimeDirectory'>,
  userId: number,
): void {
  const lookup = lookupIn(localFiles)
  for (const [what, directory, option] of [
    ['state directory', stateDirectory, '--state-dir'],
    ['runtime directory', runtimeDirectory, 'runtimeDirectory in the host configuration'],
  ] as const) {
    const insecure = findInsecurePath(directory, lookup, userId)
    if (insecure === undefined) continue
    throw new ReeveError(
      'insecure',
      `the ${what} ${directory} can't be trusted, as others could forge what Reeve keeps there: ${insecure.message}, or choose another one with ${option}`,
    )
  }
}

/** Manifests directory in the host configuration. Undefined: it names none. */
export function manifestsOf({ manifests, source, stateDirectory }: HostConfiguration): string | undefined {
  if (!source) return manifests
  return source.type === 'link' ? source.path : manifestsLink(sourceDirectory(stateDirectory))
}

/** Origin of the manifests directory, for the message if it is missing. */
function originOf(
  { directory, directoryOrigin = 'named by the caller' }: SessionOptions,
  { manifests, source }: HostConfiguration,
  configFile: string,
): string {
  if (directory !== undefined) return directoryOrigin
  if (source?.type === 'git')
    return `the revision in force of ${source.url.text}: none has been fetched yet; see reeve status`
  if (source) return `\`source.link\` in ${configFile}`
  return manifests === undefined
    ? `the default, as neither the command line nor ${configFile} names one`
    : `\`manifests\` in ${configFile}`
}

/** Working trees that these directories are in: a commit could have changed what is there. */
function findTops(directories: readonly string[], host: ReadHost): string[] {
  return directories.flatMap(directory => findCheckout(host.realPath(directory) ?? directory, host)?.top ?? [])
}

/** Files that say which commits are trusted, and what speaks for this host to the repository's server. */
function sourceFiles({ source }: HostConfiguration): string[] {
  if (source?.type !== 'git') return []
  const { access, verify, webhook } = source
  return [...Object.values(access), ...Object.values(verify?.signers ?? {}), ...(webhook ? [webhook.secretFile] : [])]
}

function outsideFiles({ providers }: HostConfiguration): string[] {
  return providers.filter(isAbsolute)
}

/** Directory as diagnostics name it: relative if it is below the working directory. */
function displayPath(directory: string, cwd: string): string {
  const short = relative(process.cwd(), directory)
  return cwd === process.cwd() && short !== '' && !short.startsWith('..') && !isAbsolute(short) ? short : directory
}
