import { expect, test } from 'vitest'
import type { Applier, Availability, Observer, Provider } from '../../../../src/core/contracts/provider.ts'
import type { Instance } from '../../../../src/core/model/facility.ts'
import type { Snapshot } from '../../../../src/core/state/snapshot.ts'
import { createAppliers } from '../../../../src/engine/execution/appliers.ts'
import { createRunKeeping } from '../../../../src/engine/execution/run-keeping.ts'
import { probeAll } from '../../../../src/engine/refresh/supervisor-list.ts'
import { openSession } from '../../../../src/engine/session/session.ts'
import type { BoundInstance } from '../../../../src/engine/session/supervisor-instances.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'
import { openObserver } from '../../../tools/opened-provider.ts'

const never = (): Promise<never> => new Promise(() => {})

const unasked = (): never => {
  throw new Error('nobody asks for this')
}

function bind(name: string, own: Opened): BoundInstance {
  const instance: Instance = { name, type: name, options: {}, stateDirectory: '/none', owner: 'test' }
  const dispose = { [Symbol.dispose]() {} }
  const provider: Provider = {
    type: name,
    capabilities: { process: [] },
    render: unasked,
    openObserver: () => ({ probe: unasked, list: unasked, observe: unasked, ...own, ...dispose }),
    openApplier: () => ({ apply: unasked, ...own, ...dispose }),
  }
  return { instance, provider, observer: openObserver(provider, instance) }
}

type Opened = Partial<Pick<Observer, 'probe'> & Pick<Applier, 'keepRuns'>>

function bindAll(all: Readonly<Record<string, Opened>>): Map<string, BoundInstance> {
  return new Map(Object.entries(all).map(([name, own]) => [name, bind(name, own)]))
}

test('E5: a hanging supervisor does not delay the availability of the others', async () => {
  const clock = createManualClock()
  const answer: Availability = { available: true, version: '1' }
  const asked = probeAll(bindAll({ stuck: { probe: never }, well: { probe: async () => answer } }), clock)
  await clock.advance(10_000)
  expect([...(await asked)]).toEqual([
    ['stuck', { available: false, reason: 'it has not answered within 10 s' }],
    ['well', answer],
  ])
})

test('E5: a hanging supervisor does not delay the run records of the others, and is not asked again', async () => {
  const clock = createManualClock()
  const kept: string[] = []
  const instances = bindAll({
    stuck: {
      keepRuns(services) {
        kept.push(`stuck/${services}`)
        return never()
      },
    },
    well: {
      async keepRuns(services) {
        kept.push(`well/${services}`)
      },
    },
  })
  const warnings: unknown[] = []
  const session = await openSession({ directory: '/none', stateDir: '/none' })
  const log = { ...session.log, warn: (fields: object) => warnings.push(fields) }
  const keepRuns = createRunKeeping(
    { ...session, clock, log },
    { find: name => found(instances, name), appliers: createAppliers(session) },
  )
  const ownership = {
    owner: session.configuration.owner,
    facility: 'web',
    files: [],
    dependsOn: [],
    prune: true,
  } as const
  const services: Snapshot['services'] = new Map(
    ['stuck/web', 'well/web', 'well/other'].map(key => [
      key,
      {
        service: key,
        state: 'running',
        enabled: true,
        supervised: true,
        ownership,
        ...(key.endsWith('web') && { isUnrecorded: true as const }),
      },
    ]),
  )
  const looked = ['stuck', 'well'].flatMap(supervisor => ['web', 'other'].map(service => ({ supervisor, service })))
  const first = keepRuns(looked, { services })
  await clock.advance(10_000)
  await first
  expect(kept).toEqual(['stuck/web', 'well/web'])
  expect(warnings).toEqual([{ supervisor: 'stuck', error: 'it has not answered within 10 s' }])
  await keepRuns(looked, { services })
  expect(kept).toEqual(['stuck/web', 'well/web', 'well/web'])
})

function found(instances: ReadonlyMap<string, BoundInstance>, name: string): BoundInstance {
  return instances.get(name) ?? unasked()
}
