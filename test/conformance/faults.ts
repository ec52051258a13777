import { basename, dirname, join } from 'node:path'
import type { WriteHost } from '../../src/core/contracts/host.ts'
import type { Action, Provider, Rendered, ServiceVerb } from '../../src/core/contracts/provider.ts'
import type { Definition } from '../../src/core/model/definition.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import type { SimulatedHarnessOptions } from '../labs/simulated-lab.ts'
import { sha256 } from '../simulation/declaration.ts'
import { digestOf, readContents } from '../simulation/supervised-definition.ts'
import { withApplier, withObserver } from '../tools/opened-provider.ts'

/** Fault of a provider, and the title of the conformance case that has to catch it. */
export interface Fault {
  readonly what: string
  readonly caughtBy: string
  readonly spoilt: SimulatedHarnessOptions
}

const unavailable = 'an unavailable supervisor makes its services unknown, with a reason, and no step follows'
const disposing = 'an observer can be disposed of twice, and another one opened'
const fields = 'every portable field has its effect, or is refused by name'
const observing = 'observe returns every requested name, with a live pid and a plausible time'
const removing = 'remove leaves nothing behind, and the facility can be declared again'
const rendering = 'render returns the same bytes each time, with a digest that excludes the marker'
const twice = 'every action is idempotent'

/** Faults, each in a provider that is otherwise correct. */
export const faults: readonly Fault[] = [
  spoil('stopped instead of unknown while the supervisor does not answer', unavailable, real =>
    bend(real, observed => (observed.state === 'unknown' ? { ...observed, state: 'stopped' } : observed)),
  ),
  spoil('no entry for an unknown service', observing, real =>
    withObserver(real, ({ observe }) => ({
      async observe(services) {
        return new Map([...(await observe(services))].filter(([, { state }]) => state !== 'absent'))
      },
    })),
  ),
  spoil('no start time', observing, real => bend(real, ({ since: _, ...observed }) => observed)),
  spoil('a start time in seconds', observing, real =>
    bend(real, ({ since = 0, ...observed }) => ({ ...observed, since: since / 1_000 })),
  ),
  spoil('supervised: true for an unsupervised service', 'an unsupervised service is not reported as supervised', real =>
    bend(real, observed => ({ ...observed, supervised: true })),
  ),
  spoil('the exit code of another run', 'a crash-looping service is not ready, and its exit code is its own', real =>
    bend(real, observed => ({ ...observed, exit: { code: 1 } })),
  ),
  spoil('loaded taken from disk', 'loaded is what the process has read, not what is on disk', real =>
    withObserver(real, ({ observe }, instance, { host }) => ({
      async observe(services) {
        const found = await observe(services)
        const read = (observed: Observed): Observed => {
          const path = join(String(instance.options.directory), `${observed.service}.json`)
          const contents = readContents(path, host)
          if (!observed.loaded || !contents) return observed
          return { ...observed, loaded: { ...observed.loaded, definition: digestOf(contents) } }
        }
        return new Map([...found].map(([service, observed]) => [service, read(observed)]))
      },
    })),
  ),
  spoil('a reload that does not update loaded', 'reload updates loaded', real =>
    around(real, 'reload', async () => {}),
  ),
  spoil('a definition that differs at each render', rendering, real => {
    let count = 0
    return bendDefinition(real, definition => {
      count += 1
      return withContent(definition, content => content.replace('}', `,"count":${count}}`))
    })
  }),
  spoil('a digest that includes the marker', rendering, real =>
    bendDefinition(real, definition => ({ ...definition, digest: sha256(definition.files[0]?.content ?? '') })),
  ),
  spoil('a definition without the marker', 'observe reflects an install, and the second plan has no steps', real =>
    bendDefinition(real, definition => withContent(definition, content => content.replace('"reeve"', '"nobody"'))),
  ),
  spoil('a portable field claimed and ignored', fields, real => claim(real, 'umask')),
  spoil('stop.signal claimed and ignored', fields, real => claim(real, 'stop.signal')),
  spoil('an aborted action that begins', 'an aborted action does not begin', real =>
    withApplier(real, ({ apply }) => ({ apply: (actions, report) => apply(actions.map(deaf), report) })),
  ),
  spoil('an aborted action that never ends', 'an aborted action ends, whatever it waits for', real =>
    around(real, 'stop', () => new Promise(() => {})),
  ),
  spoil('no watch', 'watch gives a hint when a service changes', real => ({
    ...real,
    openObserver(...args) {
      const { watch: _, ...observer } = real.openObserver(...args)
      return observer
    },
  })),
  spoil('a watch that never hints', 'watch gives a hint when a service changes', real =>
    withObserver(real, () => ({ watch: () => ({ [Symbol.dispose]() {} }) })),
  ),
  spoil('an observer that prevents another one', disposing, real => {
    let hasOpened = false
    return withObserver(real, () => {
      if (hasOpened) throw new Error('it is open already')
      hasOpened = true
      return { [Symbol.dispose]() {} }
    })
  }),
  spoil('an observer whose disposal ends all others', disposing, real => {
    let isOver = false
    return withObserver(real, ({ observe }) => ({
      async observe(services) {
        if (isOver) throw new Error('it is over')
        return observe(services)
      },
      [Symbol.dispose]() {
        isOver = true
      },
    }))
  }),
  spoil('an observer that cannot be disposed of twice', disposing, real =>
    withObserver(real, () => {
      let isOver = false
      return {
        [Symbol.dispose]() {
          if (isOver) throw new Error('it is over already')
          isOver = true
        },
      }
    }),
  ),
  spoil('one memory shared by all instances', 'instances that are open at once do not affect one another', real => {
    const seen = new Map<string, Observed>()
    return withObserver(real, ({ observe }) => ({
      async observe(services) {
        const found = await observe(services)
        for (const [service, observed] of found) if (!seen.has(service)) seen.set(service, observed)
        return new Map([...found].map(([service, observed]) => [service, seen.get(service) ?? observed]))
      },
    }))
  }),
  spoil(
    'an observer that answers from before a restart',
    'an observer works again after its supervisor has restarted',
    real =>
      withObserver(real, ({ observe }) => {
        let first: ReadonlyMap<string, Observed> | undefined
        return {
          async observe(services) {
            first ??= await observe(services)
            return new Map(first)
          },
        }
      }),
  ),
  spoil(
    'a list without services of other owners',
    'list returns services of other owners, and plans leave them alone',
    real =>
      withObserver(real, ({ list }, instance) => ({
        list: async () => (await list()).filter(({ ownership }) => ownership.owner === instance.owner),
      })),
  ),
  spoil('a definition file left by remove', removing, real =>
    around(real, 'install', async ({ definition }, host, act) => {
      await act()
      const path = definition?.files[0]?.path
      if (path) host.writeFile(`${path}.more`, '', { mode: 0o600 })
    }),
  ),
  spoil('what was removed cannot be had again', removing, real => {
    const removed = new Set<string>()
    const remembering = around(real, 'remove', async ({ service }, _host, act) => {
      removed.add(service)
      await act()
    })
    return around(remembering, 'install', async ({ service }, _host, act) => {
      if (removed.has(service)) throw new Error(`${service} was removed`)
      await act()
    })
  }),
  spoil('an interrupted install that blocks the next one', 'an interrupted action can be repeated', real =>
    around(real, 'install', async ({ definition }, host, act) => {
      const path = definition?.files[0]?.path ?? ''
      const lock = join(dirname(path), `.${basename(path)}.lock`)
      if (host.facts(lock)) throw new Error('somebody else is at it')
      host.makeDirectory(dirname(path), { mode: 0o755 })
      host.writeFile(lock, '', { mode: 0o600 })
      await act()
      host.removeFile(lock)
    }),
  ),
  spoil('a start that restarts a running service', twice, real =>
    withApplier(real, ({ apply }) => ({
      apply: (actions, report) =>
        apply(
          actions.map(action => (action.verb === 'start' ? { ...action, verb: 'restart' } : action)),
          report,
        ),
    })),
  ),
  spoil('a stop that reports success and does nothing', 'stop stops a service, which stays stopped', real =>
    around(real, 'stop', async () => {}),
  ),
  {
    what: 'a stop that leaves children running',
    caughtBy: 'stop leaves no child of the service running',
    spoilt: { ends: 'main process' },
  },
]

function spoil(what: string, caughtBy: string, wrap: (real: Provider) => Provider): Fault {
  return { what, caughtBy, spoilt: { wrap } }
}

function bend(real: Provider, change: (observed: Observed) => Observed): Provider {
  return withObserver(real, ({ observe }) => ({
    async observe(services) {
      return new Map([...(await observe(services))].map(([service, observed]) => [service, change(observed)]))
    },
  }))
}

function bendDefinition(real: Provider, change: (definition: Definition) => Definition): Provider {
  return {
    ...real,
    render(...args): Rendered {
      const rendered = real.render(...args)
      return 'definition' in rendered ? { definition: change(rendered.definition) } : rendered
    },
  }
}

function withContent(definition: Definition, change: (content: string) => string): Definition {
  return { ...definition, files: definition.files.map(file => ({ ...file, content: change(file.content) })) }
}

function claim(real: Provider, field: 'umask' | 'stop.signal'): Provider {
  return { ...real, capabilities: { ...real.capabilities, process: [...real.capabilities.process, field] } }
}

function deaf(action: Action): Action {
  return { ...action, signal: new AbortController().signal }
}

type Around = (action: Action, host: WriteHost, act: () => Promise<void>) => Promise<void>

/** Replaces actions of that verb by `perform`, which is given the correct implementation. */
function around(real: Provider, verb: ServiceVerb, perform: Around): Provider {
  return withApplier(real, ({ apply }, _instance, { host }) => ({
    async apply(actions, report) {
      for (const action of actions) {
        const act = async (): Promise<void> => {
          await apply([action], result => {
            if (!result.ok) throw result.error
          })
        }
        try {
          await (action.verb === verb ? perform(action, host, act) : act())
          report({ id: action.id, ok: true })
        } catch (error) {
          report({ id: action.id, ok: false, error: error instanceof Error ? error : new Error(String(error)) })
        }
      }
    },
  }))
}
