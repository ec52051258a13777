import { basename, join } from 'node:path'
import type { Instance } from '../../src/core/facility.ts'
import type { Loaded, Observed, Ownership } from '../../src/core/observed.ts'
import type { Action, Provider, ReadHost, WriteHost } from '../../src/core/provider.ts'
import { GOOD_RUN } from '../../src/core/readiness.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Clock } from '../../src/host/clock.ts'
import { sha256 } from './declaration.ts'

/** Where the simulated supervisor has its processes from: real ones for the conformance suite, numbers elsewhere. */
export interface Processes {
  /** `ended` is called once, when it has ended by itself. */
  start(command: readonly string[], ended: () => void): SimulatedProcess
}

export interface SimulatedProcess {
  readonly pid: number
  stop(): Promise<void>
}

/** A supervisor in memory: it can do what no real one does on demand. Its definitions are files all the same. */
export interface SimulatedSupervisor {
  readonly provider: Provider
  /** False: it does not answer. */
  isAvailable: boolean
  /** What it knows, by `DIRECTORY/SERVICE`. */
  readonly services: ReadonlyMap<string, SimulatedRun>
  /** As a reboot of the host, for the services of an instance. */
  boot(directory: string, host: ReadHost): Promise<void>
  /** Ends the process of a service for good. It tells nobody unless `isTold`. */
  stop(key: string, isTold: boolean): Promise<void>
  enable(key: string, isEnabled: boolean): void
}

export interface SimulatedRun {
  readonly state: 'running' | 'starting' | 'stopped'
  readonly enabled: boolean
  readonly process?: SimulatedProcess
  readonly loaded?: Loaded
  /** Of the definition that it was started with: it still says whose it is when that is deleted. */
  readonly ownership?: Ownership
  readonly since: number
  readonly restarts: number
  readonly total: number
}

/** What stands in a definition. */
interface Contents {
  readonly reeve?: Ownership
  readonly command: readonly string[]
}

/** Of a service that ends by itself, in ms: then it is started again. */
const RESTART_DELAY = 500

export function createSimulatedSupervisor(clock: Clock, processes: Processes): SimulatedSupervisor {
  const runs = new Map<string, SimulatedRun>()
  const hints = new Map<string, Set<(service?: string) => void>>()
  const restarts = new Map<string, Disposable>()
  let isAvailable = true

  function set(key: string, change: Partial<SimulatedRun>, isTold = true): void {
    const before = runs.get(key) ?? { state: 'stopped', enabled: false, since: clock.now(), restarts: 0, total: 0 }
    runs.set(key, { ...before, since: change.state ? clock.now() : before.since, ...change })
    const at = key.lastIndexOf('/')
    if (isTold) for (const hint of hints.get(key.slice(0, at)) ?? []) hint(key.slice(at + 1))
  }

  function start(key: string, host: ReadHost): void {
    const contents = readContents(`${key}.json`, host)
    if (!contents) throw new ReeveError('failed', `${key} has no definition`)
    const loaded = { definition: digestOf(contents), files: readLoaded(contents, host) }
    const process = processes.start(contents.command, () => onEnd(key, host))
    set(key, { state: 'running', process, loaded, ...(contents.reeve ? { ownership: contents.reeve } : {}) })
  }

  function onEnd(key: string, host: ReadHost): void {
    const run = runs.get(key)
    if (!run) return
    const { process: _process, ...rest } = run
    runs.set(key, rest)
    const isGood = clock.now() - run.since >= GOOD_RUN
    set(key, { state: 'starting', restarts: isGood ? 1 : run.restarts + 1, total: run.total + 1 })
    restarts.set(
      key,
      clock.after(RESTART_DELAY, () => {
        if (runs.get(key)?.state === 'starting' && readContents(`${key}.json`, host)) start(key, host)
      }),
    )
  }

  async function stop(key: string, isTold = true): Promise<void> {
    restarts.get(key)?.[Symbol.dispose]()
    const run = runs.get(key)
    if (!run) return
    const { process, loaded: _loaded, ...rest } = run
    runs.set(key, { ...rest, state: 'stopped', restarts: 0, total: 0, since: clock.now() })
    await process?.stop()
    set(key, {}, isTold)
  }

  async function act(
    { verb, service, definition, signal }: Action,
    instance: Instance,
    host: WriteHost,
  ): Promise<void> {
    signal.throwIfAborted()
    if (!isAvailable) throw new ReeveError('unavailable', 'it does not answer')
    const directory = directoryOf(instance)
    const key = join(directory, service)
    const state = runs.get(key)?.state ?? 'stopped'
    switch (verb) {
      case 'install':
        host.makeDirectory(directory, { mode: 0o755 })
        for (const { path, content, mode } of definition?.files ?? []) host.writeFile(path, content, { mode })
        return set(key, {})
      case 'remove':
        host.removeFile(`${key}.json`)
        await stop(key)
        runs.delete(key)
        return
      case 'enable':
      case 'disable':
        return set(key, { enabled: verb === 'enable' })
      case 'stop':
        return stop(key)
      case 'start':
        if (state === 'running') return
        restarts.get(key)?.[Symbol.dispose]()
        set(key, { restarts: 0, total: 0 })
        return start(key, host)
      case 'restart':
        await stop(key)
        return start(key, host)
      case 'reload': {
        const contents = readContents(`${key}.json`, host)
        if (contents) set(key, { loaded: { definition: digestOf(contents), files: readLoaded(contents, host) } })
        return
      }
    }
  }

  const provider: Provider = {
    type: 'simulated',
    capabilities: {
      process: ['command'],
      optionsSchema: { type: 'object', properties: { directory: { type: 'string' } } },
    },
    async probe() {
      return isAvailable ? { available: true } : { available: false, reason: 'it was told not to answer' }
    },
    render(facility, instance, reeve) {
      if (!facility.process) return { problems: [{ field: 'process', message: 'it takes nothing else' }] }
      const contents = { reeve, command: facility.process.command }
      const path = join(directoryOf(instance), `${facility.service}.json`)
      const file = { path, content: `${JSON.stringify(contents, undefined, 2)}\n`, mode: 0o644 }
      return { definition: { files: [file], digest: digestOf(contents) } }
    },
    async list(instance, host) {
      const directory = directoryOf(instance)
      const names = (host.readDirectory(directory) ?? []).filter(name => name.endsWith('.json'))
      const services = new Set(names.map(name => name.slice(0, -'.json'.length)))
      for (const key of runs.keys()) if (key.startsWith(`${directory}/`)) services.add(basename(key))
      return [...services].flatMap(service => {
        const { ownership } = observe(service, directory, host)
        return ownership ? [{ service, ownership }] : []
      })
    },
    async observe(services, instance, host) {
      return new Map(services.map(service => [service, observe(service, directoryOf(instance), host)]))
    },
    async apply(actions, instance, host, report) {
      for (const action of actions) {
        try {
          await act(action, instance, host)
          report({ id: action.id, ok: true })
        } catch (error) {
          report({ id: action.id, ok: false, error: error instanceof Error ? error : new Error(String(error)) })
        }
      }
    },
    watch(instance, _host, hint) {
      const directory = directoryOf(instance)
      const own = hints.get(directory) ?? new Set()
      hints.set(directory, own.add(hint))
      return { [Symbol.dispose]: () => own.delete(hint) }
    },
  }

  function observe(service: string, directory: string, host: ReadHost): Observed {
    const key = join(directory, service)
    if (!isAvailable) {
      return { service, state: 'unknown', enabled: 'unknown', supervised: false, message: 'it does not answer' }
    }
    const contents = readContents(`${key}.json`, host)
    const run = runs.get(key)
    const ownership = contents ? contents.reeve : run?.process && run.ownership
    const isGood = run?.state === 'running' && clock.now() - run.since >= GOOD_RUN
    const exists = contents !== undefined || run?.process !== undefined
    return {
      service,
      state: exists ? (run?.state ?? 'stopped') : 'absent',
      enabled: run?.enabled ?? false,
      supervised: true,
      ...(ownership ? { ownership } : {}),
      ...(run?.loaded && run.process ? { loaded: run.loaded, pid: run.process.pid, since: run.since } : {}),
      ...(run && { restarts: isGood ? 0 : run.restarts, totalRestarts: run.total }),
    }
  }

  return {
    provider,
    get isAvailable() {
      return isAvailable
    },
    set isAvailable(value) {
      isAvailable = value
    },
    services: runs,
    async boot(directory, host) {
      for (const [key, { enabled }] of runs) {
        if (!key.startsWith(`${directory}/`)) continue
        await stop(key)
        if (enabled) start(key, host)
      }
    },
    stop,
    enable: (key, enabled) => set(key, { enabled }),
  }
}

function directoryOf(instance: Instance): string {
  return String(instance.options.directory ?? join(instance.stateDirectory, 'simulated'))
}

/** Rubbish is a definition too, of somebody else. */
function readContents(path: string, host: ReadHost): Contents | undefined {
  const text = host.readText(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return { command: [] }
  }
}

function digestOf({ command }: Contents): string {
  return sha256(JSON.stringify(command))
}

function readLoaded({ reeve }: Contents, host: ReadHost): Record<string, string> {
  const read = (path: string): string => {
    const content = host.readFile(path)
    return content ? sha256(content) : 'absent'
  }
  return Object.fromEntries((reeve?.files ?? []).map(path => [path, read(path)]))
}
