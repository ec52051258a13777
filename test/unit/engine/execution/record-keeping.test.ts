import { expect, test } from 'vitest'
import { processProvider } from '../../../../providers/process/index.ts'
import type { Instance } from '../../../../src/core/model/facility.ts'
import type { FacilityPlan, Plan } from '../../../../src/core/plan/step.ts'
import type { OwnedLocation, Snapshot } from '../../../../src/core/state/snapshot.ts'
import { announceInstances, announceWrites, nextRecord } from '../../../../src/engine/execution/record-keeping.ts'
import { emptyRecord, type InstanceRecord, type StateRecord } from '../../../../src/engine/session/state-files.ts'
import { type BoundInstance, bindInstances, formerName } from '../../../../src/engine/session/supervisor-instances.ts'
import { makeFacility, markerOf, resolveFacility } from '../../../simulation/declaration.ts'

const unasked = (): never => {
  throw new Error('nobody looks at supervisors here')
}
const observers = { get: unasked, keep: unasked, [Symbol.dispose]: unasked }

function at(directory: string): InstanceRecord {
  return { type: 'process', options: { directory } }
}

function bind(
  declared: Readonly<Record<string, InstanceRecord>>,
  recorded: Readonly<Record<string, InstanceRecord>> = {},
) {
  return bindInstances({
    providers: new Map([['process', processProvider]]),
    declared: Object.entries(declared).map(([name, record]) => ({ name, ...record })),
    recorded: new Map(Object.entries(recorded)),
    stateDirectory: '/state',
    owner: 'default',
    observers,
  })
}

function places(instances: ReadonlyMap<string, BoundInstance>): Record<string, Instance['options']> {
  return Object.fromEntries([...instances].map(([name, { instance }]) => [name, instance.options]))
}

function planOf(...facilities: FacilityPlan[]): Plan {
  const summary = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }
  return { formatVersion: 1, digest: '', facilities, summary, diagnostics: [] }
}

function installing(name: string, supervisor: string): FacilityPlan {
  const step = { id: `${name}/install`, verb: 'install', reason: 'new', needs: [] } as const
  return { name, supervisor, service: name, change: 'add', steps: [step] }
}

function worldOf(snapshot: Partial<Snapshot>): Snapshot {
  return { services: new Map(), owned: [], unavailable: new Map(), files: new Map(), ...snapshot }
}

function owned(supervisor: string, name: string): OwnedLocation {
  return { supervisor, service: name, ownership: markerOf(makeFacility({ name })) }
}

function next(
  record: Partial<StateRecord>,
  snapshot: Partial<Snapshot>,
  more: Partial<Parameters<typeof nextRecord>[0]> = {},
) {
  const full = { ...emptyRecord, ...record }
  return nextRecord({
    record: full,
    instances: bind({ lab: at('/lab') }, Object.fromEntries(full.instances)),
    refresh: { snapshot: worldOf(snapshot), targets: [], availability: new Map() },
    plan: planOf(),
    owner: 'default',
    ...more,
  })
}

test('an instance without a manifest stays known while it may hold something of ours', () => {
  expect(places(bind({}, { lab: at('/lab') }))).toEqual({ process: {}, lab: { directory: '/lab' } })
})

test('an instance whose place changed leaves the former place known under its own name', () => {
  const former = formerName('lab', at('/old'))
  expect(places(bind({ lab: at('/new') }, { lab: at('/old') }))).toEqual({
    process: {},
    lab: { directory: '/new' },
    [former]: { directory: '/old' },
  })
  expect(former).toMatch(/^lab~[0-9a-f]{8}$/)
})

test('E4: instances are recorded before their first step, and none is lost', () => {
  const record = { ...emptyRecord, instances: new Map([['lab', at('/old')]]) }
  const announced = announceInstances(
    record,
    [installing('web', 'lab')],
    bind({ lab: at('/new') }, { lab: at('/old') }),
  )
  expect(Object.fromEntries(announced.instances)).toEqual({
    lab: at('/new'),
    [formerName('lab', at('/old'))]: at('/old'),
  })
  expect(announceInstances(record, [{ ...installing('web', 'lab'), steps: [] }], bind({ lab: at('/new') }))).toEqual(
    record,
  )
})

test('an instance is remembered while it holds something, is unreadable, or has a step planned', () => {
  const instances = new Map([['lab', at('/lab')]])
  const names = (record: StateRecord): string[] => [...record.instances.keys()]
  expect(names(next({ instances }, {}))).toEqual([])
  expect(names(next({}, { owned: [owned('lab', 'web')] }))).toEqual(['lab'])
  expect(names(next({ instances }, { unavailable: new Map([['lab', 'it is away']]) }))).toEqual(['lab'])
  expect(names(next({}, { unavailable: new Map([['lab', 'it is away']]) }))).toEqual([])
  expect(names(next({ instances }, {}, { plan: planOf(installing('web', 'lab')) }))).toEqual(['lab'])
  const busy = [makeFacility({ name: 'web', supervisor: 'lab' })]
  expect(names(next({ instances }, {}, { busy }))).toEqual(['lab'])
})

test('a former place that is unreadable now is not forgotten', () => {
  const former = formerName('lab', at('/old'))
  const record = next({ instances: new Map([['lab', at('/old')]]) }, { unavailable: new Map([[former, 'it is away']]) })
  expect(Object.fromEntries(record.instances)).toEqual({ [former]: at('/old') })
})

test('PITFALLS 9: only a facility without remaining steps counts as applied', () => {
  const web = resolveFacility({ name: 'web', supervisor: 'lab' })
  const db = resolveFacility({ name: 'db', supervisor: 'lab' })
  const off = resolveFacility({ name: 'off', supervisor: 'lab', suspend: true })
  const done: FacilityPlan = { ...installing('db', 'lab'), change: 'none', steps: [] }
  const blocked: FacilityPlan = { ...done, name: 'stuck', blocked: 'it has to wait' }
  const stuck = resolveFacility({ name: 'stuck', supervisor: 'lab' })
  const targets = [web, db, off, stuck]
  const plan = planOf(installing('web', 'lab'), done, { ...done, name: 'off' }, blocked)
  const record = next({}, {}, { refresh: { snapshot: worldOf({}), targets, availability: new Map() }, plan })
  expect([...record.applied]).toEqual([
    [
      'db',
      {
        digest: db.facility.digest,
        supervisor: 'lab',
        service: 'db',
        files: [],
        meets: [expect.any(String)],
        parts: [`definition ${db.imprint}`, 'enabled true'],
      },
    ],
  ])
})

test('a facility neither declared nor owned is forgotten, unless its supervisor is unreadable', () => {
  const entry = { digest: 'x', supervisor: 'lab', service: 'web', files: [] }
  const applied = new Map([['web', entry]])
  expect([...next({ applied }, {}).applied.keys()]).toEqual([])
  expect([...next({ applied }, { owned: [owned('lab', 'web')] }).applied.keys()]).toEqual(['web'])
  expect([...next({ applied }, { unavailable: new Map([['lab', 'it is away']]) }).applied.keys()]).toEqual(['web'])
})

test('E19: a rename carries the record to the new name, even if the marker was deleted', () => {
  const web = resolveFacility({ name: 'web', renamedFrom: 'www', files: [{ path: '/etc/www', content: 'new' }] })
  const entry = { digest: 'x', supervisor: 'alpha', service: 'www', files: ['/etc/www'] }
  const applied = new Map([['www', entry]])
  const claims = new Map([['/etc/www', { isFulfilled: true, contents: ['old'] }]])
  const refresh = { snapshot: worldOf({}), targets: [web], availability: new Map() }
  const blocked: FacilityPlan = { ...installing('web', 'alpha'), change: 'none', steps: [], blocked: 'it has to wait' }
  const record = next({ applied, claims }, {}, { refresh, plan: planOf(blocked) })
  expect([...record.applied]).toEqual([['web', entry]])
  expect([...record.claims]).toEqual([...claims])
  const step = {
    id: 'web/write-file:/etc/www',
    verb: 'write-file',
    reason: 'file-changed',
    path: '/etc/www',
    needs: [],
  } as const
  const writing: FacilityPlan = { ...installing('web', 'alpha'), steps: [step] }
  const announced = announceWrites({ ...emptyRecord, applied }, [writing], { refresh, owner: 'default' })
  expect(announced.claims.get('/etc/www')?.isFulfilled).toBe(true)
})
