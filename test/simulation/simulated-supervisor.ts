import { basename, dirname, join } from 'node:path'
import { eachAction } from '../../src/authoring/each-action.ts'
import type { ReadHost, WriteHost } from '../../src/core/contracts/host.ts'
import type { Action, Applier, DeclaredService, Observer, Provider } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Loaded, Observed, Ownership } from '../../src/core/state/observed.ts'
import { GOOD_RUN } from '../../src/core/state/readiness.ts'
import type { ServiceTies } from '../../src/core/state/relation.ts'
import type { Clock } from '../../src/host/clock.ts'
import {
  type Contents,
  conflictOf,
  digestOf,
  parseContents,
  readContents,
  readLoaded,
} from './supervised-definition.ts'

/** Source of the simulated supervisor's processes: real ones for the conformance suite, numbers elsewhere. */
export interface Processes {
  /** `ended` is called once, when it has ended by itself. `key`: `DIRECTORY/SERVICE`. */
  start(command: readonly string[], ended: () => void, key: string): SimulatedProcess
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
  /** Its services, by `DIRECTORY/SERVICE`. */
  readonly services: ReadonlyMap<string, SimulatedRun>
  /** Aliases and their services, both as `DIRECTORY/SERVICE`. */
  readonly aliases: Map<string, string>
  /** Like a reboot of the host, for the services of an instance. */
  boot(directory: string, host: ReadHost): Promise<void>
  /** Ends the process of a service for good. It reports that only with `isTold`. */
  stop(key: string, isTold: boolean): Promise<void>
  enable(key: string, isEnabled: boolean): void
  /** Leaves the service unsupervised until it is started again. */
  abandon(key: string): void
}

export interface SimulatedRun {
  readonly state: 'running' | 'starting' | 'stopped'
  readonly enabled: boolean
  readonly process?: SimulatedProcess
  readonly loaded?: Loaded
  /** Marker of the definition that it was started with: it still names the owner when that is deleted. */
  readonly ownership?: Ownership
  readonly since: number
  readonly restarts: number
  readonly total: number
  readonly isAbandoned?: boolean
}

/** Run time of a service that exits by itself, in ms: then it is restarted, with growing delays. */
const RESTART_DELAY = 500
const LONGEST_DELAY = 300_000

export function createSimulatedSupervisor(clock: Clock, processes: Processes): SimulatedSupervisor {
  const runs = new Map<string, SimulatedRun>()
  const hints = new Map<string, Set<(service?: string) => void>>()
  const restarts = new Map<string, Disposable>()
  const aliases = new Map<string, string>()
  let isAvailable = true

  function set(key: string, change: Partial<SimulatedRun>, isTold = true): void {
    const before = runs.get(key) ?? { state: 'stopped', enabled: false, since: clock.now(), restarts: 0, total: 0 }
    runs.set(key, { ...before, since: change.state ? clock.now() : before.since, ...change })
    const at = key.lastIndexOf('/')
    if (isTold) for (const hint of hints.get(key.slice(0, at)) ?? []) hint(key.slice(at + 1))
  }

  function keyOf(directory: string, service: string): string {
    const key = join(directory, service)
    return aliases.get(key) ?? key
  }

  /** Starting one of two that conflict stops the other, whichever declares it. */
  function stopConflicting(key: string, own: Contents, host: ReadHost): void {
    for (const [other, { process }] of runs) {
      if (other === key || !process || dirname(other) !== dirname(key)) continue
      const theirs = readContents(`${other}.json`, host)
      if (conflictOf(own) === basename(other) || (theirs && conflictOf(theirs) === basename(key))) void stop(other)
    }
  }

  function start(key: string, host: ReadHost): void {
    const contents = readContents(`${key}.json`, host)
    if (!contents) throw new ReeveError('failed', `${key} has no definition`)
    stopConflicting(key, contents, host)
    const loaded = { definition: digestOf(contents), files: readLoaded(contents, host) }
    const process = processes.start(contents.command, () => onEnd(key, host), key)
    set(key, {
      state: 'running',
      isAbandoned: false,
      process,
      loaded,
      ...(contents.reeve ? { ownership: contents.reeve } : {}),
    })
  }

  function onEnd(key: string, host: ReadHost): void {
    const run = runs.get(key)
    if (!run) return
    const { process: _process, ...rest } = run
    runs.set(key, rest)
    const isGood = clock.now() - run.since >= GOOD_RUN
    const failures = isGood ? 1 : run.restarts + 1
    set(key, { state: 'starting', restarts: failures, total: run.total + 1 })
    restarts.set(
      key,
      clock.after(Math.min(RESTART_DELAY * 2 ** (failures - 1), LONGEST_DELAY), () => {
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

  async function act({ verb, service, definition, signal }: Action, directory: string, host: WriteHost): Promise<void> {
    signal.throwIfAborted()
    if (!isAvailable) throw new ReeveError('unavailable', 'it does not answer')
    const key = keyOf(directory, service)
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
    render(facility, instance, reeve) {
      if (!facility.process) return { problems: [{ field: 'process', message: 'it takes nothing else' }] }
      const contents = { reeve, command: facility.process.command }
      const path = join(directoryOf(instance), `${facility.service}.json`)
      const file = { path, content: `${JSON.stringify(contents, undefined, 2)}\n`, mode: 0o644 }
      return { definition: { files: [file], digest: digestOf(contents) } }
    },
    openObserver: (instance, { host }) => openObserver(directoryOf(instance), host),
    openApplier: (instance, { host }) => openApplier(directoryOf(instance), host),
  }

  function openObserver(directory: string, host: ReadHost): Observer {
    return {
      async probe() {
        return isAvailable ? { available: true } : { available: false, reason: 'it was told not to answer' }
      },
      async list() {
        const names = (host.readDirectory(directory) ?? []).filter(name => name.endsWith('.json'))
        const services = new Set(names.map(name => name.slice(0, -'.json'.length)))
        for (const key of runs.keys()) if (key.startsWith(`${directory}/`)) services.add(basename(key))
        return [...services].flatMap(service => {
          const { ownership } = observe(service, directory, host)
          return ownership ? [{ service, ownership }] : []
        })
      },
      async observe(services) {
        return new Map(services.map(service => [service, observe(service, directory, host)]))
      },
      watch(hint) {
        const own = hints.get(directory) ?? new Set()
        hints.set(directory, own.add(hint))
        return { [Symbol.dispose]: () => own.delete(hint) }
      },
      async relate(services) {
        return new Map(services.map(declared => [declared.service, tiesOf(declared, directory, host)]))
      },
      [Symbol.dispose]() {},
    }
  }

  function openApplier(directory: string, host: WriteHost): Applier {
    return {
      // One after the other, so that a story can be told again.
      apply: eachAction(action => act(action, directory, host), { clock, atOnce: 1 }),
      [Symbol.dispose]() {},
    }
  }

  function observe(service: string, directory: string, host: ReadHost): Observed {
    const key = keyOf(directory, service)
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
      supervised: run?.isAbandoned !== true,
      ...(ownership ? { ownership } : {}),
      ...(run?.loaded && run.process ? { loaded: run.loaded, pid: run.process.pid, since: run.since } : {}),
      ...(run && { restarts: isGood ? 0 : run.restarts, totalRestarts: run.total }),
    }
  }

  function tiesOf({ service, definition }: DeclaredService, directory: string, host: ReadHost): ServiceTies {
    const key = keyOf(directory, service)
    const text = definition?.files[0]?.content
    const contents = text === undefined ? readContents(`${key}.json`, host) : parseContents(text)
    const other = contents && conflictOf(contents)
    const isAlias = basename(key) !== service
    const how = `${service} conflicts with ${other}`
    return {
      identities: [key],
      ...(isAlias && { alias: `${service} is another name of ${basename(key)}` }),
      relations: other === undefined ? [] : [{ kind: 'conflicts', to: join(directory, other), how }],
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
    aliases,
    async boot(directory, host) {
      for (const [key, { enabled }] of runs) {
        if (!key.startsWith(`${directory}/`)) continue
        await stop(key)
        if (enabled) start(key, host)
      }
    },
    stop,
    enable: (key, enabled) => set(key, { enabled }),
    abandon: key => set(key, { isAbandoned: true }),
  }
}

function directoryOf(instance: Instance): string {
  return String(instance.options.directory ?? join(instance.stateDirectory, 'simulated', instance.name))
}
