import { isAbsolute, join, relative, resolve } from 'node:path'
import type { HostConfiguration } from '../core/host-configuration.ts'
import type { Log } from '../core/log.ts'
import type { Provider, ReadHost, WriteHost } from '../core/provider.ts'
import { messageOf } from '../core/reeve-error.ts'
import { type Clock, createClock } from '../host/clock.ts'
import { readPackageVersion } from '../host/package-version.ts'
import { createReadHost, type ReadHostOptions } from '../host/read-host.ts'
import { createWriteHost } from '../host/write-host.ts'
import { loadHostConfiguration } from '../manifest/host-configuration-file.ts'
import type { ManifestOptions } from '../manifest/manifest-options.ts'
import { createYamlMemory, type YamlMemory } from '../manifest/yaml-memory.ts'
import { askPlace } from './instances.ts'
import { loadProviders } from './provider-loading.ts'
import { readParsed, writeParsed } from './state-files.ts'

export interface SessionOptions {
  /** `--config FILE`. */
  readonly config?: string
  /** `--state-dir DIR`. */
  readonly stateDir?: string
  /** The DIR argument, or `--manifests DIR`. */
  readonly directory?: string
  readonly insecurePermissions?: boolean
  readonly log?: Log
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** For harnesses: time and the host as somebody else makes them. */
  readonly clock?: Clock
  /** Besides those that come with Reeve. */
  readonly extraProviders?: readonly Provider[]
  readonly createWriteHost?: (options: ReadHostOptions) => WriteHost
  readonly createReadHost?: (options: ReadHostOptions) => ReadHost
}

/** What every command stands on: the settings, the providers, and handles on the host. Opening one writes nothing. */
export interface Session {
  readonly configuration: HostConfiguration
  /** Of the manifests, absolute, symlinks kept. */
  readonly directory: string
  readonly manifests: ManifestOptions & { readonly memory: YamlMemory }
  readonly providers: ReadonlyMap<string, Provider>
  readonly clock: Clock
  readonly log: Log
  readonly readHost: ReadHost
  readHostFor(provider: Provider): ReadHost
  /** Only for those who hold the lock. */
  openWriteHost(provider?: Provider): WriteHost
}

/** Fails with ReeveError `invalid` or `insecure` if the host configuration or an outside provider can't be used. */
export async function openSession(options: SessionOptions = {}): Promise<Session> {
  const { env = process.env, cwd = process.cwd(), insecurePermissions = false } = options
  const userId = process.geteuid?.() ?? 0
  const configuration = loadHostConfiguration({
    ...(options.config === undefined ? {} : { file: resolve(cwd, options.config) }),
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(cwd, options.stateDir) }),
    env,
    userId,
    insecurePermissions,
  })
  const makeReadHost = options.createReadHost ?? createReadHost
  const makeWriteHost = options.createWriteHost ?? createWriteHost
  const readHost = makeReadHost({ queries: [] })
  const providers = await loadProviders(configuration.providers, readHost, userId === 0 && !insecurePermissions)
  for (const provider of options.extraProviders ?? []) providers.set(provider.type, provider)
  const directory = resolve(cwd, options.directory ?? configuration.manifests ?? 'manifests')
  const clock = options.clock ?? createClock()
  const accessOf = (provider?: Provider): ReadHostOptions => {
    const { queries = [], busQueries = [] } = provider?.capabilities ?? {}
    return { queries, busQueries, clock }
  }
  return {
    configuration,
    directory,
    manifests: {
      directory: displayPath(directory, cwd),
      types: [...providers.keys()],
      defaultSupervisor: configuration.defaultSupervisor,
      schemaOf: type => providers.get(type)?.capabilities,
      placeOf: ({ name, type, options }) => {
        const { stateDirectory, owner } = configuration
        const provider = providers.get(type)
        return provider && askPlace(provider, { name, type, options, stateDirectory, owner })
      },
      policy: configuration.policy,
      runsAsRoot: userId === 0,
      insecurePermissions,
      memory: createYamlMemory(readPackageVersion(), () => readParsed(configuration.stateDirectory, readHost)),
    },
    providers,
    clock,
    log: options.log ?? silentLog,
    readHost,
    readHostFor: provider => makeReadHost(accessOf(provider)),
    openWriteHost: provider => makeWriteHost(accessOf(provider)),
  }
}

/** In a directory of its own, which only its user can enter (S5), whatever the mode of the runtime directory is. */
export function controlSocketPath(configuration: HostConfiguration): string {
  return join(configuration.runtimeDirectory, 'control', 'control.sock')
}

/** Once the manifests have been read, by who may write: the next one to read them parses only what is new. */
export function keepParsed({ manifests, configuration, openWriteHost, log }: Session): void {
  const content = manifests.memory.close()
  if (!content) return
  try {
    writeParsed(configuration.stateDirectory, content, openWriteHost())
  } catch (error) {
    log.warn({ error: messageOf(error) }, `${messageOf(error)}; so the next reeve parses all manifests again`)
  }
}

/** Diagnostics name files as people wrote the directory: relative where it is below the working directory. */
function displayPath(directory: string, cwd: string): string {
  const short = relative(process.cwd(), directory)
  return cwd === process.cwd() && short !== '' && !short.startsWith('..') && !isAbsolute(short) ? short : directory
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
