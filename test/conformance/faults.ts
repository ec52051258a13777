import { basename, dirname, join } from 'node:path'
import type { Action, Provider, Rendered, ServiceVerb } from '../../src/core/contracts/provider.ts'
import type { Definition } from '../../src/core/model/definition.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import type { SimulatedHarnessOptions } from '../labs/simulated-lab.ts'
import { sha256 } from '../simulation/declaration.ts'
import { digestOf, readContents } from '../simulation/supervised-definition.ts'

/** A fault that a provider can have, and the title of the conformance case that has to catch it. */
export interface Fault {
  readonly what: string
  readonly caughtBy: string
  readonly spoilt: SimulatedHarnessOptions
}

const unavailable = 'an unavailable supervisor is unknown with a reason, and nothing is done about it'
const fields = 'every portable field has its effect, or is refused by its name'
const observing = 'observe answers for every name, with a pid and a time that can be'
const removing = 'remove leaves nothing behind, and the same can be declared again'
const rendering = 'render gives the same bytes each time, and the digest leaves the marker out'
const twice = 'each action done twice is the same as done once'

/** One fault at a time, in a provider that is right in all else. */
export const faults: readonly Fault[] = [
  spoil('a service is stopped when its supervisor does not answer', unavailable, real =>
    bend(real, observed => (observed.state === 'unknown' ? { ...observed, state: 'stopped' } : observed)),
  ),
  spoil('no word of a service that it does not know', observing, real => ({
    async observe(...args) {
      const found = await real.observe(...args)
      return new Map([...found].filter(([, { state }]) => state !== 'absent'))
    },
  })),
  spoil('no time since when it runs', observing, real => bend(real, ({ since: _, ...observed }) => observed)),
  spoil('a time in seconds', observing, real =>
    bend(real, ({ since = 0, ...observed }) => ({ ...observed, since: since / 1_000 })),
  ),
  spoil('supervised, though nobody watches', 'a service that nobody watches over is not said to be supervised', real =>
    bend(real, observed => ({ ...observed, supervised: true })),
  ),
  spoil(
    'an exit code that is not the one of the run',
    'a service that keeps failing is not ready, and the exit code that is told of it is its own',
    real => bend(real, observed => ({ ...observed, exit: { code: 1 } })),
  ),
  spoil(
    'loaded is what is on disk',
    'what is loaded is what the process has read, and not what is on disk',
    ({ observe }) => ({
      async observe(services, instance, host) {
        const found = await observe(services, instance, host)
        const read = (observed: Observed): Observed => {
          const path = join(String(instance.options.directory), `${observed.service}.json`)
          const contents = readContents(path, host)
          if (!observed.loaded || !contents) return observed
          return { ...observed, loaded: { ...observed.loaded, definition: digestOf(contents) } }
        }
        return new Map([...found].map(([service, observed]) => [service, read(observed)]))
      },
    }),
  ),
  spoil('a reload leaves what is loaded as it was', 'a reload renews what is loaded', real =>
    around(real, 'reload', async () => {}),
  ),
  spoil('a definition with a count of its own', rendering, real => {
    let count = 0
    return bendDefinition(real, definition => {
      count += 1
      return withContent(definition, content => content.replace('}', `,"count":${count}}`))
    })
  }),
  spoil('a digest of all that is in the file', rendering, real =>
    bendDefinition(real, definition => ({ ...definition, digest: sha256(definition.files[0]?.content ?? '') })),
  ),
  spoil('a definition without the marker', 'install, observe, and a second plan is empty', real =>
    bendDefinition(real, definition => withContent(definition, content => content.replace('"reeve"', '"nobody"'))),
  ),
  spoil('a portable field that is claimed and ignored', fields, real => claim(real, 'umask')),
  spoil('stop.signal claimed and ignored', fields, real => claim(real, 'stop.signal')),
  spoil('an aborted action begins', 'an action that is not wanted any more does not begin', real => ({
    apply: (actions, ...rest) => real.apply(actions.map(deaf), ...rest),
  })),
  spoil('an aborted action goes on', 'an action that is not wanted any more ends, whatever it waits for', real =>
    around(real, 'stop', () => new Promise(() => {})),
  ),
  spoil('no watch', 'a change is hinted at', () => ({}), ['watch']),
  spoil('a watch that never hints', 'a change is hinted at', () => ({ watch: () => ({ [Symbol.dispose]() {} }) })),
  spoil(
    'services of other owners are not listed',
    'two owners see the services of one another, and leave them alone',
    real => ({
      async list(instance, host) {
        const all = await real.list(instance, host)
        return all.filter(({ ownership }) => ownership.owner === instance.owner)
      },
    }),
  ),
  spoil('a file of the definition stays', removing, real =>
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
    return around({ ...real, ...remembering }, 'install', async ({ service }, _host, act) => {
      if (removed.has(service)) throw new Error(`${service} was removed`)
      await act()
    })
  }),
  spoil('an install that was cut off is in its own way', 'an action that is cut off can be done again', real =>
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
  spoil('a start of what runs starts it again', twice, real => ({
    apply: (actions, ...rest) =>
      real.apply(
        actions.map(action => (action.verb === 'start' ? { ...action, verb: 'restart' } : action)),
        ...rest,
      ),
  })),
  spoil('a stop that is said to be done and is not', 'stop stops, and it stays stopped', real =>
    around(real, 'stop', async () => {}),
  ),
  {
    what: 'a stop that leaves children behind',
    caughtBy: 'a stop leaves no child of the service behind',
    spoilt: { ends: 'main process' },
  },
]

function spoil(
  what: string,
  caughtBy: string,
  change: (real: Provider) => Partial<Provider>,
  without: readonly (keyof Provider)[] = [],
): Fault {
  const wrap = (real: Provider): Provider => {
    const spoilt = { ...real, ...change(real) }
    for (const method of without) Reflect.deleteProperty(spoilt, method)
    return spoilt
  }
  return { what, caughtBy, spoilt: { wrap } }
}

function bend({ observe }: Provider, change: (observed: Observed) => Observed): Partial<Provider> {
  return {
    async observe(...args) {
      return new Map([...(await observe(...args))].map(([service, observed]) => [service, change(observed)]))
    },
  }
}

function bendDefinition({ render }: Provider, change: (definition: Definition) => Definition): Partial<Provider> {
  return {
    render(...args): Rendered {
      const rendered = render(...args)
      return 'definition' in rendered ? { definition: change(rendered.definition) } : rendered
    },
  }
}

function withContent(definition: Definition, change: (content: string) => string): Definition {
  return { ...definition, files: definition.files.map(file => ({ ...file, content: change(file.content) })) }
}

function claim({ capabilities }: Provider, field: 'umask' | 'stop.signal'): Partial<Provider> {
  return { capabilities: { ...capabilities, process: [...capabilities.process, field] } }
}

function deaf(action: Action): Action {
  return { ...action, signal: new AbortController().signal }
}

type Around = (action: Action, host: Parameters<Provider['apply']>[2], act: () => Promise<void>) => Promise<void>

/** Actions of that verb are carried out by `perform`, which is given the right way to do it. */
function around(real: Provider, verb: ServiceVerb, perform: Around): Partial<Provider> {
  return {
    async apply(actions, instance, host, report) {
      for (const action of actions) {
        const act = async (): Promise<void> => {
          await real.apply([action], instance, host, result => {
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
  }
}
