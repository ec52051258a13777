import { createRequire } from 'node:module'
import type { ReadHost } from '../../src/core/contracts/host.ts'
import type { HostingProvider } from '../../src/core/contracts/hosting.ts'
import type { Applier, ApplierTools, Observer, ObserverTools } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { findInsecurePath } from '../../src/core/paths/path-permissions.ts'
import { realPlace } from '../posix/real-place.ts'
import { listOwned, observeServices } from './provider/observation.ts'
import { configSchema, optionsSchema } from './shared/configuration-schema.ts'
import { renderDefinition } from './shared/definition.ts'
import { createDefinitionReader } from './shared/definition-file.ts'
import { directoryOf, type Layout, layoutOf, serviceOfJson } from './shared/layout.ts'
import { watchLiveness } from './shared/liveness.ts'
import { findProblem, findSupervisor } from './shared/supervisor-process.ts'
import { followTelling, hearSupervisor } from './shared/telling.ts'
import { findLacks, findTools } from './shared/tools.ts'

/** Heap limit of the supervisor, which runs permanently: a thousand services need a few megabytes. */
const nodeOptions = ['--max-semi-space-size=1', '--max-old-space-size=128', '--no-warnings']

export interface ProcessProviderOptions {
  /** Command line of the supervisor, followed by its directory. Default: this Node with the built supervisor. */
  readonly command?: readonly string[]
}

/** Provider for the built-in supervisor. See README.md beside this file. */
export const processProvider: HostingProvider = createProcessProvider()

export function createProcessProvider(options: ProcessProviderOptions = {}): HostingProvider {
  return {
    type: 'process',
    capabilities: {
      besideOutput: 'rotated',
      process: [
        'command',
        'workingDirectory',
        'user',
        'group',
        'umask',
        'environment',
        'environment.fromFile',
        'environmentFiles',
        'limits',
        'restart.policy',
        'restart.delay',
        'stop.signal',
        'stop.timeout',
        'reload.signal',
        'reload.command',
        'output.file',
        'output.maxSize',
        'output.keep',
        'output.stdout',
      ],
      configSchema,
      optionsSchema,
    },
    render: renderDefinition,
    openObserver,
    openApplier: (instance, tools) => openApplier(instance, tools, options.command ?? defaultCommand()),
    identify: instance => ({ place: directoryOf(instance) }),
    directories: instance => [directoryOf(instance)],
    startedBy: 'controller',
    hosting: {
      refusal:
        'nothing starts the built-in supervisor after a boot but the controller itself. In a container, have its ' +
        'entrypoint be `reeve run DIR`, under an init (docker run --init, tini)',
    },
  }
}

function openObserver(instance: Instance, { host, clock }: ObserverTools): Observer {
  const layout = layoutOf(directoryOf(instance))
  const readDefinition = createDefinitionReader(layout, host)
  return {
    async probe() {
      const reason = findProblem(host, layout) ?? findForeignWay(instance, host)
      if (reason !== undefined) return { available: false, reason }
      const tools = findTools(host)
      if (tools.setsid === undefined) {
        return { available: false, reason: 'there is no setsid on this host; install the package util-linux' }
      }
      // Without a running supervisor there is no version: the first service to run starts one.
      const version = findSupervisor(host, layout).state === 'dead' ? undefined : host.readText(layout.version)?.trim()
      const { unwritable } = await hearSupervisor(layout, host, clock)
      return {
        available: true,
        ...(version !== undefined && { version }),
        lacks: findLacks(host, tools),
        ...(unwritable.length > 0 && { unwritable }),
      }
    },
    list: async () => listOwned(layout, host, readDefinition),
    observe: async services =>
      observeServices(services, layout, host, readDefinition, await hearSupervisor(layout, host, clock)),
    watch: hint => watchInstance(layout, host, hint),
    async relate(services, { isElsewhere = false }) {
      const place = realPlace(layout.directory, isElsewhere ? undefined : host)
      return new Map(
        services.map(({ service }) => [service, { identities: [`process ${place} ${service}`], relations: [] }]),
      )
    },
    [Symbol.dispose]() {},
  }
}

function openApplier(instance: Instance, { host, clock }: ApplierTools, command: readonly string[]): Applier {
  const layout = layoutOf(directoryOf(instance))
  return {
    async apply(actions, report) {
      const { applyActions } = await import('./provider/application.ts') // not needed for observing
      return applyActions(actions, { command, layout, host, clock }, report)
    },
    [Symbol.dispose]() {},
  }
}

/** Opening the state directory has checked it already; a directory of one's own may be anywhere. */
function findForeignWay(instance: Instance, host: ReadHost): string | undefined {
  if (instance.options.directory === undefined || host.userId() !== 0) return undefined
  return findInsecurePath(directoryOf(instance), host, 0)?.problem
}

function watchInstance(layout: Layout, host: ReadHost, hint: (service?: string) => void): Disposable {
  const hintFile = (file?: string): void => {
    const service = file === undefined ? undefined : serviceOfJson(file)
    if (file === undefined || service !== undefined) hint(service)
  }
  const watches = [
    host.watch(layout.definitions, hintFile),
    host.watch(layout.state, hintFile),
    host.watch(layout.enabled, hint),
  ]
  const told = followTelling(layout, host, hint)
  const liveness = watchLiveness(layout, host, hint)
  return {
    [Symbol.dispose]() {
      liveness[Symbol.dispose]()
      told[Symbol.dispose]()
      for (const watch of watches) watch[Symbol.dispose]()
    },
  }
}

/** The built supervisor is started even from source, as in tests: Node itself doesn't read TypeScript. */
function defaultCommand(): readonly string[] {
  return [process.execPath, ...nodeOptions, createRequire(import.meta.url).resolve('#supervisor')]
}
