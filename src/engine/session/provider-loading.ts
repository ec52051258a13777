import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { builtinProviders } from '../../../providers/registry.ts'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Provider } from '../../core/contracts/provider.ts'
import { describeValue, isObject, isTextList } from '../../core/outside-value.ts'
import { findInsecurePath } from '../../core/paths/path-permissions.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { packageDirectory } from '../../host/package-version.ts'

export interface LoadOptions {
  /** True: a module that others can write is refused (S1). */
  readonly checkPermissions: boolean
  /** Directories, absolute, from which no module is loaded. */
  readonly closed?: readonly string[]
}

/**
 * Loads the built-in providers and those of the host configuration, by type. An outside provider is a module whose
 * default export is a Provider, or a function that returns one. It cannot have the type of a built-in one.
 */
export async function loadProviders(
  outside: readonly string[],
  host: ReadHost,
  { checkPermissions, closed = [] }: LoadOptions,
): Promise<Map<string, Provider>> {
  const providers = await loadOwnProviders()
  for (const module of outside) {
    const url = await resolveModule(module)
    refuseInside(closed, module, url, host)
    if (checkPermissions) {
      refuseInsecure(module, url, host)
      // Modules that it imports, now or later, are checked as well.
      const { guardModules } = await import('./module-guard.ts')
      guardModules({ root: packageDirectory(), userId: host.userId() })
    }
    const provider = await loadOutside(module, url)
    if (providers.has(provider.type)) {
      throw new ReeveError(
        'invalid',
        `provider ${module} has the type ${provider.type}, which another provider has already`,
      )
    }
    providers.set(provider.type, provider)
  }
  return providers
}

/** Built-in providers by type. */
export async function loadOwnProviders(): Promise<Map<string, Provider>> {
  const loading = Object.entries(builtinProviders).map(async ([type, load]) => [type, await load()] as const)
  return new Map(await Promise.all(loading))
}

async function resolveModule(module: string): Promise<string> {
  try {
    if (module.startsWith('/')) return pathToFileURL(module).href
    // The bundle is CommonJS, where Node's own resolver would be that of CommonJS.
    const { resolve } = await import('import-meta-resolve')
    return resolve(module, import.meta.url)
  } catch (cause) {
    throw notLoaded(module, cause)
  }
}

function refuseInsecure(module: string, url: string, host: ReadHost): void {
  if (!url.startsWith('file:')) return // one of Node's own
  const insecure = findInsecurePath(fileURLToPath(url), host, host.userId())
  if (insecure) throw new ReeveError('insecure', `provider ${module} of the host configuration: ${insecure.message}`)
}

function refuseInside(closed: readonly string[], module: string, url: string, host: ReadHost): void {
  if (!url.startsWith('file:')) return
  const path = fileURLToPath(url)
  const top = closed.find(directory => `${host.realPath(path) ?? path}`.startsWith(join(directory, '/')))
  if (top === undefined) return
  throw new ReeveError(
    'refused',
    `provider ${module} of the host configuration is in the checkout ${top}, so the commits that are compared could have changed it, and it is not loaded. Install it elsewhere, and name that place`,
  )
}

async function loadOutside(module: string, url: string): Promise<Provider> {
  const exported = await importDefault(module, url)
  const provider = typeof exported === 'function' ? makeProvider(module, exported) : exported
  if (isProvider(provider)) return provider
  throw new ReeveError(
    'invalid',
    `provider ${module}: expected its default export to be a Provider, or a function that gives one; ${findShortcoming(provider)}`,
  )
}

function makeProvider(module: string, factory: CallableFunction): unknown {
  try {
    return factory()
  } catch (cause) {
    throw notLoaded(module, cause)
  }
}

async function importDefault(module: string, url: string): Promise<unknown> {
  try {
    const loaded: unknown = await import(url)
    return typeof loaded === 'object' && loaded !== null && 'default' in loaded ? loaded.default : undefined
  } catch (cause) {
    throw notLoaded(module, cause)
  }
}

function notLoaded(module: string, cause: unknown): ReeveError {
  const message = `provider ${module} of the host configuration could not be loaded: ${messageOf(cause)}`
  return new ReeveError('invalid', message, { cause })
}

function isProvider(value: unknown): value is Provider {
  return findShortcoming(value) === undefined
}

/** What a value lacks to be a provider; continues a sentence. */
function findShortcoming(value: unknown): string | undefined {
  if (!isObject(value) || value instanceof Promise) return `found ${describeValue(value)}`
  if (typeof value.type !== 'string' || value.type === '') return `its type is ${describeValue(value.type)}`
  const { capabilities } = value
  if (!isObject(capabilities)) return `its capabilities are ${describeValue(capabilities)}`
  if (!isTextList(capabilities.process)) return `its capabilities.process is ${describeValue(capabilities.process)}`
  return typeof value.render === 'function' ? undefined : 'it has no function render'
}
