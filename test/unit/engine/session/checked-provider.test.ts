import { expect, test } from 'vitest'
import type {
  Action,
  ActionResult,
  Applier,
  Observer,
  Provider,
  Rendered,
} from '../../../../src/core/contracts/provider.ts'
import type { Definition } from '../../../../src/core/model/definition.ts'
import type { Instance } from '../../../../src/core/model/facility.ts'
import { ReeveError } from '../../../../src/core/reeve-error.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { createCheckedProvider } from '../../../../src/engine/session/checked-provider.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'
import { openApplier, openObserver } from '../../../tools/opened-provider.ts'
import { plainFacility } from '../../../tools/plain-facility.ts'

const instance: Instance = { name: 'lab', type: 'monit', options: {}, stateDirectory: '/none', owner: 'test' }
const ownership = { owner: 'test', facility: 'web', files: [], dependsOn: [], prune: true }
const facility = plainFacility({ name: 'web', supervisor: 'lab' })
const file = { path: '/etc/web', content: 'web\n', mode: 0o644 }
const observed: Observed = { service: 'web', state: 'running', enabled: true, supervised: true }

/** Provider with answers that its types forbid, as one in plain JavaScript may give. */
function wrong<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value))
}

const unasked = (): never => {
  throw new Error('nobody asks for this')
}
const closed: Provider = {
  type: 'monit',
  capabilities: { process: [] },
  render: unasked,
  openObserver: unasked,
  openApplier: unasked,
}

function check(own: Partial<Provider>, clock = createManualClock()): Provider {
  return createCheckedProvider({ ...closed, ...own }, clock)
}

function observer(own: Partial<Observer>): Observer {
  const whole = { probe: unasked, list: unasked, observe: unasked, [Symbol.dispose]() {}, ...own }
  return openObserver(check({ openObserver: () => whole }), instance)
}

function definition(change: object): Rendered {
  return wrong({ definition: { files: [file], digest: 'd1', ...change } })
}

test.each<[string, Rendered, string | undefined]>([
  ['a valid rendering', definition({}), undefined],
  ['problems', { problems: [{ field: 'process', message: 'it is new to it' }] }, undefined],
  ['a relative path', definition({ files: [{ ...file, path: 'web' }] }), 'the file "web", which is no absolute path'],
  ['the same path twice', definition({ files: [file, file] }), 'the file /etc/web twice'],
  ['a mode beyond 7777', definition({ files: [{ ...file, mode: 0o10000 }] }), '/etc/web with mode 4096'],
  ['a mode as text', definition({ files: [{ ...file, mode: '0644' }] }), '/etc/web with mode "0644"'],
  ['no content', definition({ files: [{ ...file, content: null }] }), '/etc/web with content null'],
  ['a number as digest', definition({ digest: 7 }), 'digest: 7'],
  ['files that are no list', definition({ files: {} }), 'files: an object'],
  ['neither files nor problems', wrong({}), 'neither a definition nor problems'],
  ['problems that are no texts', wrong({ problems: [{}] }), 'neither a definition nor problems'],
  ['nothing', wrong(null), 'null, and neither'],
])('render that returns %s', (_what, rendered, fault) => {
  const { render } = check({ render: () => rendered })
  const ask = () => render(facility, instance, ownership)
  if (fault === undefined) expect(ask()).toBe(rendered)
  else expect(ask).toThrow(fault)
})

test('a supervisor that cannot be asked is unavailable, and its services unknown, for the reason that its provider throws', async () => {
  const refuse = () => Promise.reject(new ReeveError('unavailable', 'nothing listens at /run/monit.sock'))
  const one = observer({ probe: refuse, observe: refuse })
  expect(await one.probe()).toEqual({ available: false, reason: 'nothing listens at /run/monit.sock' })
  const found = (await one.observe(['web', 'db'])).get('db')
  expect(found).toMatchObject({ service: 'db', state: 'unknown', message: 'nothing listens at /run/monit.sock' })
  const fail = () => Promise.reject(new TypeError('body is undefined'))
  const faulty = observer({ probe: fail, observe: fail })
  await expect(faulty.probe()).rejects.toThrow('body is undefined')
  await expect(faulty.observe(['web'])).rejects.toThrow('body is undefined')
})

test('render that returns a promise is rejected with a message that says so', () => {
  const answer: Promise<Definition> = new Promise(() => {})
  const { render } = check({ render: () => Object.assign(answer, { problems: [] }) })
  expect(() => render(facility, instance, ownership)).toThrow('it gave a promise')
})

test.each<[string, object | undefined, string | undefined]>([
  ['a valid observation', {}, undefined],
  ['nothing', undefined, 'gave no answer'],
  ['an unknown state', { state: 'up' }, 'state: "up", which is none of running, starting'],
  ['another service', { service: 'db' }, 'an answer for "db"'],
  ['enabled as text', { enabled: 'yes' }, 'enabled: "yes"'],
  ['no supervised', { supervised: null }, 'supervised: null'],
  ['pid 0', { pid: 0 }, 'pid: 0'],
  ['a pid as text', { pid: '17' }, 'pid: "17"'],
  ['a time as text', { since: '2026-11-30' }, 'since: "2026-11-30"'],
  ['a time in microseconds', { since: 1.8e15 }, 'since: 1800000000000000'],
  ['a negative count', { restarts: -1 }, 'restarts: -1'],
  ['half a marker', { ownership: { facility: 'web' } }, 'an incomplete marker'],
  ['loaded without files', { loaded: { definition: 'd1' } }, 'loaded: an object'],
  // The wall clock may be set back, manually or by NTP.
  ['a time ahead of the clock', { since: Date.now() + 86_400_000 }, undefined],
])('E7: observe that returns %s', async (_what, change, fault) => {
  const answer = new Map<string, Observed>([['db', { ...observed, service: 'db' }]])
  if (change) answer.set('web', wrong({ ...observed, ...change }))
  const { observe } = observer({ observe: async () => answer })
  const found = await observe(['web', 'db'])
  expect(found.get('db')).toEqual({ ...observed, service: 'db' })
  if (fault === undefined) expect(found.get('web')).toEqual(answer.get('web'))
  else {
    expect(found.get('web')).toMatchObject({
      state: 'unknown',
      message: expect.stringContaining(`provider monit: observe of web gave `),
    })
    expect(found.get('web')?.message).toContain(fault)
  }
})

test('services that were not asked for are ignored, and an answer that is no Map is an error', async () => {
  const more = observer({
    observe: async () =>
      new Map([
        ['web', observed],
        ['db', { ...observed, service: 'db' }],
      ]),
  })
  expect([...(await more.observe(['web'])).keys()]).toEqual(['web'])
  const none = observer({ observe: async () => wrong({ web: observed }) })
  await expect(none.observe(['web'])).rejects.toThrow('provider monit: observe gave no Map')
})

test.each<['list' | 'probe', unknown, string]>([
  ['list', {}, 'list gave an object, and no list'],
  ['list', [{ service: 'web' }], 'list gave service web with an incomplete marker'],
  ['list', [{ ownership }], 'list gave an object without a service'],
  ['probe', null, 'probe gave null, and no availability'],
  ['probe', { available: 'yes' }, 'probe gave available: "yes"'],
  ['probe', { available: false }, 'probe gave available: false without a reason'],
])('%s that returns %j is an error that names the provider', async (method, answer, fault) => {
  const one = observer({ [method]: async () => answer })
  await expect(one[method]()).rejects.toThrow(`provider monit: ${fault}`)
})

/** Applies a batch of one action for each service and returns the outcomes. */
function begin(services: readonly string[], apply: Applier['apply']) {
  const clock = createManualClock()
  const controllers = new Map(services.map(service => [service, new AbortController()]))
  const results: ActionResult[] = []
  const actions = [...controllers].map(
    ([service, { signal }]): Action => ({ id: `${service}/stop`, verb: 'stop', service, signal }),
  )
  const opened = { apply, [Symbol.dispose]() {} }
  const applier = openApplier(check({ openApplier: () => opened }, clock), instance)
  const ended = applier.apply(actions, result => results.push(result))
  return { clock, results, ended, abort: (service: string) => controllers.get(service)?.abort(new Error('given up')) }
}

test('an action that continues after its abort is abandoned, and the error names its provider', async () => {
  const bench = begin(['web', 'db'], async (_actions, report) => {
    report({ id: 'db/stop', ok: true })
    await new Promise(() => {})
  })
  await bench.clock.advance(60_000)
  expect(bench.results).toEqual([{ id: 'db/stop', ok: true }])
  bench.abort('web')
  await bench.clock.advance(2_999)
  expect(bench.results).toHaveLength(1)
  await bench.clock.advance(1)
  await bench.ended
  expect(bench.results[1]).toMatchObject({
    id: 'web/stop',
    ok: false,
    error: {
      message: expect.stringContaining('provider monit went on with stop of web for 3 s after it was told to end'),
    },
  })
})

test('an action that ends after its abort has its own outcome, and leaves no timer', async () => {
  let report: ((result: ActionResult) => void) | undefined
  const bench = begin(['web'], (_actions, given) => {
    report = given
    return new Promise(() => {})
  })
  bench.abort('web')
  await bench.clock.advance(2_000)
  report?.({ id: 'web/stop', ok: true })
  await bench.ended
  expect(bench.results).toEqual([{ id: 'web/stop', ok: true }])
  expect(bench.clock.pending).toBe(0)
})

test('a batch that fails at once leaves no timer', async () => {
  const bench = begin(['web'], () => {
    throw new Error('it cannot')
  })
  bench.abort('web')
  await expect(bench.ended).rejects.toThrow('it cannot')
  expect(bench.clock.pending).toBe(0)
})

test('an observer that cannot be disposed of is harmless, and is not disposed of twice', () => {
  let count = 0
  const once = observer({
    [Symbol.dispose]() {
      count += 1
      throw new Error('it cannot')
    },
  })
  once[Symbol.dispose]()
  once[Symbol.dispose]()
  expect(count).toBe(1)
})
