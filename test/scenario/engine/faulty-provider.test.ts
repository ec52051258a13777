import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import type { Provider } from '../../../src/core/contracts/provider.ts'
import { listSupervisors } from '../../../src/engine/refresh/supervisor-list.ts'
import { createEngineLab, type EngineLab, longRun } from '../../labs/engine-lab.ts'

type Method = 'render' | 'findNameProblem' | 'place' | 'layout' | 'list' | 'observe' | 'probe'

/** A provider beside the built-in one that has a fault in one method, in what concerns `web`. */
function faulty(method: Method): Provider {
  const fail = (): never => {
    throw new TypeError("Cannot read properties of undefined (reading 'x')")
  }
  const provider = { ...processProvider, type: 'faulty', place: () => 'there', layout: () => 'there' }
  switch (method) {
    case 'render':
      return {
        ...provider,
        render: (facility, ...rest) => (facility.name === 'web' ? fail() : provider.render(facility, ...rest)),
      }
    case 'findNameProblem':
      return { ...provider, findNameProblem: service => (service === 'web' ? fail() : undefined) }
    default:
      return { ...provider, [method]: fail }
  }
}

/** With the supervisor `other`, of that provider. */
function createFaultyLab(method: Method): EngineLab {
  const lab = createEngineLab({ providers: [processProvider, faulty(method)] })
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
] as const)('a provider whose %s throws over a facility blocks that facility only', async (method, message) => {
  await using lab = createFaultyLab(method)
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

test.each(['list', 'observe', 'probe', 'place', 'layout'] as const)(
  'E7: a provider whose %s throws leaves other supervisors alone, and nothing is concluded of its own services',
  async method => {
    await using lab = createFaultyLab(method)
    lab.declare('web', { supervisor: 'other', process: longRun() })
    lab.declare('app', { process: longRun() })
    const outcome = await lab.apply()
    expect((await lab.observe('app')).state).toBe('running')
    const web = outcome.plan.facilities.find(({ name }) => name === 'web')
    if (method === 'place' || method === 'layout') expect(web).toMatchObject({ change: 'add' })
    else expect(web?.blocked).toContain("Cannot read properties of undefined (reading 'x')")
    const reports = await listSupervisors(await lab.open())
    expect(reports.find(({ name }) => name === 'lab')?.available).toBe(true)
    expect(reports.find(({ name }) => name === 'other')?.available).toBe(method !== 'probe')
  },
)
