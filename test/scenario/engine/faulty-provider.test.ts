import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import type { Provider } from '../../../src/core/contracts/provider.ts'
import { listSupervisors } from '../../../src/engine/refresh/supervisor-list.ts'
import { createEngineLab, type EngineLab, longRun } from '../../labs/engine-lab.ts'
import { withObserver } from '../../tools/opened-provider.ts'

type Method = 'render' | 'findNameProblem' | 'identify' | 'openObserver' | 'openApplier' | 'list' | 'observe' | 'probe'

/** Provider like the built-in one that has a fault in one method, for `web` only. */
function faulty(method: Method): Provider {
  const fail = (): never => {
    throw new TypeError("Cannot read properties of undefined (reading 'x')")
  }
  const provider = { ...processProvider, type: 'faulty', identify: () => ({ place: 'there' }) }
  switch (method) {
    case 'render':
      return {
        ...provider,
        render: (facility, ...rest) => (facility.name === 'web' ? fail() : provider.render(facility, ...rest)),
      }
    case 'findNameProblem':
      return { ...provider, findNameProblem: service => (service === 'web' ? fail() : undefined) }
    case 'identify':
    case 'openObserver':
    case 'openApplier':
      return { ...provider, [method]: fail }
    default:
      return withObserver(provider, () => ({ [method]: fail }))
  }
}

/** Lab with the supervisor `other` of that provider. */
function createFaultyLab(provider: Provider): EngineLab {
  const lab = createEngineLab({ providers: [processProvider, provider] })
  const spec = { type: 'faulty', faulty: { directory: lab.declareSupervisor('other') } }
  lab.write(
    'supervisor-other.yaml',
    JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'other' }, spec }),
  )
  return lab
}

test.each([
  ['render', "provider faulty failed to render facility web: Cannot read properties of undefined (reading 'x')"],
  ['findNameProblem', 'provider faulty failed to judge the name of facility web'],
] as const)('a provider whose %s throws for a facility blocks only that facility', async (method, message) => {
  await using lab = createFaultyLab(faulty(method))
  for (const name of ['web', 'db']) lab.declare(name, { supervisor: 'other', process: longRun() })
  lab.declare('app', { process: longRun() })
  const plan = await lab.plan()
  expect(plan.facilities.map(({ name, change }) => [name, change])).toEqual([
    ['app', 'add'],
    ['db', 'add'],
    ['web', 'none'],
  ])
  expect(plan.facilities.map(({ blocked }) => blocked)).toEqual([
    undefined,
    undefined,
    expect.stringContaining(message),
  ])
  await lab.apply()
  expect((await lab.observe('db')).state).toBe('running')
  expect((await lab.observe('app')).state).toBe('running')
})

test.each(['list', 'observe', 'probe', 'openObserver', 'openApplier', 'identify'] as const)(
  'E7: a provider whose %s throws affects no other supervisor, and its own services are unknown',
  async method => {
    await using lab = createFaultyLab(faulty(method))
    lab.declare('web', { supervisor: 'other', process: longRun() })
    lab.declare('app', { process: longRun() })
    const outcome = await lab.apply()
    expect((await lab.observe('app')).state).toBe('running')
    const web = outcome.plan.facilities.find(({ name }) => name === 'web')
    if (method === 'identify' || method === 'openApplier') expect(web).toMatchObject({ change: 'add' })
    else expect(web?.blocked).toContain("Cannot read properties of undefined (reading 'x')")
    const reports = await listSupervisors(await lab.open())
    expect(reports.find(({ name }) => name === 'lab')?.available).toBe(true)
    expect(reports.find(({ name }) => name === 'other')?.available).toBe(
      method !== 'probe' && method !== 'openObserver',
    )
  },
)

const { openObserver: _observer, openApplier: _applier, ...closed } = { ...processProvider, type: 'faulty' }
const unasked = async (): Promise<never> => {
  throw new Error('nobody asks for this')
}

/** As in JavaScript, whatever the types say. */
test.each<[string, object, string]>([
  ['has no openObserver', closed, 'provider faulty has no function openObserver'],
  [
    'was written for an earlier Reeve',
    { ...closed, probe: unasked, observe: unasked, apply: unasked },
    'provider faulty has no function openObserver; it was written for an earlier Reeve, which did not open supervisors',
  ],
  [
    'fails to open one',
    { ...closed, openObserver: () => raise('no licence') },
    'provider faulty: openObserver failed: no licence; this is a fault of the provider',
  ],
  ['returns nothing', { ...closed, openObserver() {} }, 'provider faulty: openObserver gave nothing; this'],
  ['returns a promise', { ...closed, async openObserver() {} }, 'provider faulty: openObserver gave a promise; this'],
  [
    'returns one without probe',
    { ...closed, openObserver: () => ({ list: unasked, observe: unasked }) },
    'provider faulty: openObserver gave something without a function probe; this',
  ],
])('E7: a provider that %s makes only its own supervisor unavailable, with the reason', async (_, provider, why) => {
  await using lab = createFaultyLab(Object.assign(Object.create(null), provider))
  lab.declare('web', { supervisor: 'other', process: longRun() })
  lab.declare('app', { process: longRun() })
  const { plan } = await lab.apply()
  expect((await lab.observe('app')).state).toBe('running')
  expect(plan.facilities.find(({ name }) => name === 'web')?.blocked).toContain(why)
  const reports = await listSupervisors(await lab.open())
  expect(reports.find(({ name }) => name === 'other')).toMatchObject({
    available: false,
    reason: expect.stringContaining(why),
  })
})

test('an action on a supervisor that cannot be opened for it fails with the reason', async () => {
  await using lab = createFaultyLab(faulty('openApplier'))
  lab.declare('web', { supervisor: 'other', process: longRun() })
  const { failed } = await lab.apply()
  expect(failed).toEqual([
    {
      facility: 'web',
      message: expect.stringContaining("openApplier failed: Cannot read properties of undefined (reading 'x')"),
    },
  ])
})

function raise(message: string): never {
  throw new Error(message)
}

test('a provider that returns an invalid definition of a facility blocks only that one, with the reason', async () => {
  const { render, ...provider } = faulty('render')
  const relative: Provider['render'] = (facility, ...rest) => {
    const rendered = processProvider.render(facility, ...rest)
    if (facility.name !== 'web' || !('definition' in rendered)) return rendered
    const files = rendered.definition.files.map(file => ({ ...file, path: 'web.json' }))
    return { definition: { ...rendered.definition, files } }
  }
  await using lab = createFaultyLab({ ...provider, render: relative })
  for (const name of ['web', 'db']) lab.declare(name, { supervisor: 'other', process: longRun() })
  const { facilities } = (await lab.apply()).plan
  expect(facilities.find(({ name }) => name === 'web')?.blocked).toContain(
    'provider faulty failed to render facility web: it gave the file "web.json", which is no absolute path; this is a fault of the provider',
  )
  expect((await lab.observe('db')).state).toBe('running')
})

test('E7: a service of which a provider returns an invalid observation is unknown', async () => {
  const real = { ...processProvider, type: 'faulty' }
  const silent = withObserver(real, ({ observe }) => ({
    async observe(services) {
      const found = await observe(services)
      found.delete('web')
      return found
    },
  }))
  await using lab = createFaultyLab(silent)
  for (const name of ['web', 'db']) lab.declare(name, { supervisor: 'other', process: longRun() })
  const { facilities } = (await lab.apply()).plan
  const web = facilities.find(({ name }) => name === 'web')
  expect(web?.steps).toEqual([])
  expect(web?.blocked).toContain('provider faulty: observe of web gave no answer; this is a fault of the provider')
  expect((await lab.observe('db')).state).toBe('running')
})
