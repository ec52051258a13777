import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProcessProvider } from '../../providers/process/index.ts'
import { directoryOf, type Layout, layoutOf } from '../../providers/process/shared/layout.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { WriteHost } from '../../src/core/contracts/host.ts'
import type { ActionResult, Observer, ServiceVerb } from '../../src/core/contracts/provider.ts'
import type { Instance, Process } from '../../src/core/model/facility.ts'
import type { Observed, Ownership } from '../../src/core/state/observed.ts'
import { findHolder } from '../../src/host/lock.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { powerOff } from '../labs/process-lab.ts'
import { openApplier, openObserver } from '../tools/opened-provider.ts'
import { plainFacility, plainProcess } from '../tools/plain-facility.ts'

/** Instance of the built-in supervisor in a directory of its own, for one test. */
export interface ProcessInstance extends AsyncDisposable {
  readonly instance: Instance
  readonly observer: Observer
  readonly host: WriteHost
  readonly layout: Layout
  /** Directory for files that services write. */
  readonly scratch: string
  /** Installs, or throws the problems that `render` reports. */
  install(
    service: string,
    process: Partial<Process> & Pick<Process, 'command'>,
    options?: InstallOptions,
  ): Promise<void>
  /** Throws the error of the first that fails. */
  act(verb: ServiceVerb, ...services: readonly string[]): Promise<void>
  attempt(verb: ServiceVerb, service: string, signal?: AbortSignal): Promise<ActionResult>
  observe(service: string): Promise<Observed>
  /** Waits until the observed state is as given. */
  see(service: string, ...states: readonly Observed['state'][]): Promise<Observed>
  /** Pid of the supervisor, if it is alive. */
  supervisor(): number | undefined
  /** Sends SIGKILL to the supervisor; resolves when it is gone. */
  killSupervisor(): Promise<void>
  read(file: string): string
}

export interface InstallOptions {
  readonly files?: readonly string[]
  readonly config?: unknown
}

/** `command` replaces the command line of the supervisor. */
export function createInstance(
  options: { command?: readonly string[]; name?: string; state?: string } = {},
): ProcessInstance {
  const root = mkdtempSync(join(tmpdir(), 'reeve-'))
  const instance: Instance = {
    name: options.name ?? 'process',
    type: 'process',
    options: {},
    stateDirectory: options.state ?? root,
    owner: 'default',
  }
  const provider = createProcessProvider(options.command ? { command: options.command } : {})
  const host = createWriteHost()
  const layout = layoutOf(directoryOf(instance))
  // Some put another method in its place.
  const observer = openObserver(provider, instance, host)
  const applier = openApplier(provider, instance, host)

  async function attempt(
    verb: ServiceVerb,
    service: string,
    signal = AbortSignal.timeout(25_000),
  ): Promise<ActionResult> {
    const results: ActionResult[] = []
    await applier.apply([{ id: verb, verb, service, signal }], result => results.push(result))
    const [result] = results
    if (!result || results.length > 1) throw new Error(`expected one result, got ${results.length}`)
    return result
  }

  async function observe(service: string): Promise<Observed> {
    const observed = (await observer.observe([service])).get(service)
    if (!observed) throw new Error(`nothing was said of ${service}`)
    return observed
  }

  const supervisor = (): number | undefined => findHolder(layout.lock, host)?.pid

  return {
    instance,
    observer,
    host,
    layout,
    scratch: root,
    async install(service, process, { files = [], config } = {}) {
      const ownership: Ownership = { owner: 'default', facility: service, files, dependsOn: [], prune: true }
      const rendered = provider.render(
        plainFacility({
          name: service,
          supervisor: 'process',
          process: { ...plainProcess, ...process },
          ...(config !== undefined && { config }),
        }),
        instance,
        ownership,
      )
      if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
      const { definition } = rendered
      const signal = new AbortController().signal
      await applier.apply([{ id: 'install', verb: 'install', service, definition, signal }], result => {
        if (!result.ok) throw result.error
      })
    },
    async act(verb, ...services) {
      const signal = AbortSignal.timeout(25_000)
      const failures: Error[] = []
      const actions = services.map(service => ({ id: `${service}/${verb}`, verb, service, signal }))
      let count = 0
      await applier.apply(actions, result => {
        count += 1
        if (!result.ok) failures.push(result.error)
      })
      if (failures[0]) throw failures[0]
      if (count !== services.length) throw new Error(`expected ${services.length} results, got ${count}`)
    },
    attempt,
    observe,
    see(service, ...states) {
      return eventually(`${service} is ${states.join(' or ')}`, async () => {
        const observed = await observe(service)
        return states.includes(observed.state) ? observed : undefined
      })
    },
    supervisor,
    async killSupervisor() {
      const pid = supervisor()
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      await eventually('the supervisor is gone', () => supervisor() === undefined)
    },
    read: file => readFileSync(join(root, file), 'utf8'),
    async [Symbol.asyncDispose]() {
      await powerOff(layout.directory)
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
      if (options.state) rmSync(layout.directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/** Pids of live processes with an argument equal to this word. */
export function findProcesses(word: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => isRunning(pid) && readQuietly(`/proc/${pid}/cmdline`).split('\0').includes(word))
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
