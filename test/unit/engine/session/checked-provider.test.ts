import { expect, test } from 'vitest'
import type { Action, ActionResult, Provider, Rendered } from '../../../../src/core/contracts/provider.ts'
import type { Definition } from '../../../../src/core/model/definition.ts'
import type { Instance } from '../../../../src/core/model/facility.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { createCheckedProvider } from '../../../../src/engine/session/checked-provider.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'
import { plainFacility } from '../../../tools/plain-facility.ts'

const instance: Instance = { name: 'lab', type: 'monit', options: {}, stateDirectory: '/none', owner: 'test' }
const ownership = { owner: 'test', facility: 'web', files: [], dependsOn: [], prune: true }
const facility = plainFacility({ name: 'web', supervisor: 'lab' })
const file = { path: '/etc/web', content: 'web\n', mode: 0o644 }
const observed: Observed = { service: 'web', state: 'running', enabled: true, supervised: true }

/** As a provider in JavaScript may answer, whatever the types say. */
function wrong<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value))
}

function provider(own: Partial<Provider>, clock = createManualClock()): Provider {
  const unasked = (): never => {
    throw new Error('nobody asks for this')
  }
  const base = { probe: unasked, render: unasked, list: unasked, observe: unasked, apply: unasked }
  return createCheckedProvider({ type: 'monit', capabilities: { process: [] }, ...base, ...own }, clock)
}

function definition(change: object): Rendered {
  return wrong({ definition: { files: [file], digest: 'd1', ...change } })
}

test.each<[string, Rendered, string | undefined]>([
  ['what it should', definition({}), undefined],
  ['problems', { problems: [{ field: 'process', message: 'it is new to it' }] }, undefined],
  ['a relative path', definition({ files: [{ ...file, path: 'web' }] }), 'the file "web", which is no absolute path'],
  ['one path twice', definition({ files: [file, file] }), 'the file /etc/web twice'],
  ['a mode beyond 7777', definition({ files: [{ ...file, mode: 0o10000 }] }), '/etc/web with mode 4096'],
  ['a mode in text', definition({ files: [{ ...file, mode: '0644' }] }), '/etc/web with mode "0644"'],
  ['no content', definition({ files: [{ ...file, content: null }] }), '/etc/web with content null'],
  ['a number as digest', definition({ digest: 7 }), 'digest: 7'],
  ['files that are no list', definition({ files: {} }), 'files: an object'],
  ['nothing of both', wrong({}), 'neither a definition nor problems'],
  ['problems without words', wrong({ problems: [{}] }), 'neither a definition nor problems'],
  ['nothing at all', wrong(null), 'null, and neither'],
])('render that gives %s', (_what, rendered, fault) => {
  const { render } = provider({ render: () => rendered })
  const ask = () => render(facility, instance, ownership)
  if (fault === undefined) expect(ask()).toBe(rendered)
  else expect(ask).toThrow(fault)
})

test('render that gives a promise is told so', () => {
  const answer: Promise<Definition> = new Promise(() => {})
  const { render } = provider({ render: () => Object.assign(answer, { problems: [] }) })
  expect(() => render(facility, instance, ownership)).toThrow('it gave a promise')
})

test.each<[string, object | undefined, string | undefined]>([
  ['what it should', {}, undefined],
  ['nothing', undefined, 'gave no answer'],
  ['a state that there is not', { state: 'up' }, 'state: "up", which is none of running, starting'],
  ['another service', { service: 'db' }, 'an answer for "db"'],
  ['enabled in text', { enabled: 'yes' }, 'enabled: "yes"'],
  ['no word of supervision', { supervised: null }, 'supervised: null'],
  ['pid 0', { pid: 0 }, 'pid: 0'],
  ['a pid in text', { pid: '17' }, 'pid: "17"'],
  ['a time in text', { since: '2026-11-30' }, 'since: "2026-11-30"'],
  ['a time in microseconds', { since: 1.8e15 }, 'since: 1800000000000000'],
  ['a negative count', { restarts: -1 }, 'restarts: -1'],
  ['half a marker', { ownership: { facility: 'web' } }, 'an incomplete marker'],
  ['loaded without files', { loaded: { definition: 'd1' } }, 'loaded: an object'],
  // The wall clock is set back by hand and by NTP.
  ['a time ahead of the clock', { since: Date.now() + 86_400_000 }, undefined],
])('E7: observe that gives %s', async (_what, change, fault) => {
  const answer = new Map<string, Observed>([['db', { ...observed, service: 'db' }]])
  if (change) answer.set('web', wrong({ ...observed, ...change }))
  const { observe } = provider({ observe: async () => answer })
  const found = await observe(['web', 'db'], instance, createReadHost())
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

test('what was not asked for is not taken over, and what is no Map is an error', async () => {
  const more = provider({
    observe: async () =>
      new Map([
        ['web', observed],
        ['db', { ...observed, service: 'db' }],
      ]),
  })
  expect([...(await more.observe(['web'], instance, createReadHost())).keys()]).toEqual(['web'])
  const none = provider({ observe: async () => wrong({ web: observed }) })
  await expect(none.observe(['web'], instance, createReadHost())).rejects.toThrow('provider monit: observe gave no Map')
})

test.each<['list' | 'probe', unknown, string]>([
  ['list', {}, 'list gave an object, and no list'],
  ['list', [{ service: 'web' }], 'list gave service web with an incomplete marker'],
  ['list', [{ ownership }], 'list gave an object without a service'],
  ['probe', null, 'probe gave null, and no availability'],
  ['probe', { available: 'yes' }, 'probe gave available: "yes"'],
  ['probe', { available: false }, 'probe gave available: false without a reason'],
])('%s that gives %j is an error that names the provider', async (method, answer, fault) => {
  const one = provider({ [method]: async () => answer })
  await expect(one[method](instance, createReadHost())).rejects.toThrow(`provider monit: ${fault}`)
})

/** A batch of one action for each service, and what becomes of it. */
function begin(services: readonly string[], apply: Provider['apply']) {
  const clock = createManualClock()
  const controllers = new Map(services.map(service => [service, new AbortController()]))
  const results: ActionResult[] = []
  const actions = [...controllers].map(
    ([service, { signal }]): Action => ({ id: `${service}/stop`, verb: 'stop', service, signal }),
  )
  const ended = provider({ apply }, clock).apply(actions, instance, createWriteHost(), result => results.push(result))
  return { clock, results, ended, abort: (service: string) => controllers.get(service)?.abort(new Error('given up')) }
}

test('an action that goes on after it was aborted is given up, and its provider named', async () => {
  const bench = begin(['web', 'db'], async (_actions, _instance, _host, report) => {
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

test('an action that ends after it was aborted is its own, and no timer is left', async () => {
  let report: ((result: ActionResult) => void) | undefined
  const bench = begin(['web'], (_actions, _instance, _host, given) => {
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
    throw new Error('it can not')
  })
  bench.abort('web')
  await expect(bench.ended).rejects.toThrow('it can not')
  expect(bench.clock.pending).toBe(0)
})
