import { describe, expect, test } from 'vitest'
import type { Facility } from '../../../../src/core/model/facility.ts'
import { type Observed, type ServiceState, unknownService } from '../../../../src/core/state/observed.ts'
import { JOB } from '../../../simulation/declaration.ts'
import { acts, asDeclared, madeFrom, notThere, planOne, unowned } from '../../../simulation/planning-case.ts'

const states: readonly ServiceState[] = ['running', 'starting', 'stopping', 'stopped', 'failed', 'absent', 'unknown']

/** Steps from each observed state (in the order above) to each declared state, where everything else is as declared. */
const table: Readonly<Record<Facility['state'], readonly string[][]>> = {
  running: [
    [],
    [],
    ['start stopped'],
    ['start stopped'],
    ['start failed'],
    ['install definition-drift', 'start stopped'],
    [],
  ],
  stopped: [['stop running'], ['stop running'], ['stop running'], [], [], ['install definition-drift'], []],
  unmanaged: [[], [], [], [], [], ['install definition-drift'], []],
}

describe('state', () => {
  for (const [state, row] of Object.entries(table)) {
    for (const [index, expected] of row.entries()) {
      const observed = states[index] ?? 'unknown'
      test(`E1: declared ${state}, observed ${observed}: ${expected.join(', ') || 'nothing'}`, () => {
        const web = { name: 'web', state: state as Facility['state'] }
        const found = asDeclared({ ...web, state: 'running' }, { state: observed })
        const plan = planOne({ ...madeFrom(web, web, { ...found.observed }) })
        expect(acts(plan)).toEqual(expected)
      })
    }
  }

  test('E7: unknown is neither stopped nor absent: no step, and the reason is reported', () => {
    const row = asDeclared({ name: 'web' }, { state: 'unknown', message: 'the status file is half-written' })
    const plan = planOne(row)
    expect(plan.steps).toEqual([])
    expect(plan.change).toBe('none')
    expect(plan.blocked).toBe('the state of service web is unknown: the status file is half-written')
    expect(planOne(asDeclared({ name: 'web' }, { state: 'unknown' })).blocked).toBe(
      'the state of service web is unknown: the supervisor does not say why',
    )
  })

  test('E7: a service that was not observed counts as unknown', () => {
    const plan = planOne({ ...asDeclared({ name: 'web' }), observed: undefined })
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('supervisor alpha said nothing of service web')
  })

  test('E7: an unavailable supervisor blocks its facilities, with its reason', () => {
    const plan = planOne(asDeclared({ name: 'web' }), { unavailable: { alpha: 'its socket refuses' } })
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('supervisor alpha is unavailable: its socket refuses')
  })

  test('a new service is installed, enabled and started', () => {
    const plan = planOne(notThere({ name: 'web' }))
    expect(plan.change).toBe('add')
    expect(acts(plan)).toEqual(['install new', 'enable new', 'start new'])
  })

  test('a new service that is declared stopped is only installed', () => {
    expect(acts(planOne(notThere({ name: 'web', state: 'stopped', enabled: false })))).toEqual(['install new'])
    expect(acts(planOne(notThere({ name: 'web', state: 'unmanaged', enabled: 'unmanaged' })))).toEqual(['install new'])
  })

  test('a stopped service is started with the reason that it is down', () => {
    expect(planOne(asDeclared({ name: 'web' }, { state: 'stopped' })).change).toBe('repair')
    expect(planOne(madeFrom({ name: 'web' }, { name: 'web', state: 'stopped' })).change).toBe('change')
  })

  test('an unsupervised service is started, which has no effect on its process', () => {
    expect(acts(planOne(asDeclared({ name: 'web' }, { supervised: false })))).toEqual(['start unsupervised'])
    expect(acts(planOne(asDeclared({ name: 'web' }, { supervised: false, state: 'starting' })))).toEqual([
      'start unsupervised',
    ])
  })

  test('an unsupervised service of unmanaged state is enabled again, for the next boot', () => {
    const web = { name: 'web', state: 'unmanaged' } as const
    expect(acts(planOne(asDeclared(web, { supervised: false })))).toEqual(['enable unsupervised'])
    expect(acts(planOne(asDeclared({ ...web, enabled: false }, { supervised: false })))).toEqual([])
    const plain = { name: 'web', state: 'unmanaged', command: null } as const
    expect(acts(planOne(asDeclared({ ...plain, enabled: 'unmanaged' }, { supervised: false })))).toEqual([])
  })

  test('a service that ended successfully, as its policy allows, is not started again', () => {
    const job = { name: 'job', command: JOB, restart: 'on-failure' } as const
    expect(acts(planOne(asDeclared(job, { state: 'stopped', completed: true })))).toEqual([])
    expect(acts(planOne(asDeclared(job, { state: 'stopped' })))).toEqual(['start stopped'])
  })

  test('a completed job without a record of what it read is left alone', () => {
    const job = { name: 'job', command: JOB, restart: 'never' } as const
    const { loaded: _loaded, ...observed } = asDeclared(job).observed as Observed
    const row = { ...asDeclared(job), observed: { ...observed, state: 'stopped', completed: true } as const }
    expect(acts(planOne(row))).toEqual([])
    const changed = madeFrom({ ...job, command: [...JOB, 'again'] }, job)
    expect(acts(planOne({ ...changed, observed: row.observed })), 'but for what is being changed now').toEqual([
      'install definition-changed',
      'start stopped',
    ])
  })

  test('E12: a completed job whose command changed runs again', () => {
    const job = { name: 'job', command: JOB, restart: 'never' } as const
    const row = madeFrom({ ...job, command: [...JOB, 'again'] }, job, { state: 'stopped', completed: true })
    expect(acts(planOne(row))).toEqual(['install definition-changed', 'start stopped'])
    const none = madeFrom({ ...job, command: [...JOB, 'again'], onChange: 'none' }, job, {
      state: 'stopped',
      completed: true,
    })
    expect(acts(planOne(none))).toEqual(['install definition-changed'])
  })

  test('with restart policy never, a failure is final until the manifest changes', () => {
    const job = { name: 'job', command: JOB, restart: 'never' } as const
    expect(acts(planOne(asDeclared(job, { state: 'failed' })))).toEqual([])
    expect(acts(planOne(asDeclared({ ...job, restart: 'on-failure' }, { state: 'failed' })))).toEqual(['start failed'])
    expect(acts(planOne(asDeclared(job, { state: 'stopped' }))), 'stopped by hand').toEqual(['start stopped'])
    const changed = madeFrom({ ...job, command: [...JOB, '2'] }, job, { state: 'failed' })
    expect(acts(planOne(changed))).toEqual(['install definition-changed', 'start failed'])
  })

  test('E11: an unhealthy service is restarted only if its manifest says so', () => {
    const check = { type: 'tcp', host: '127.0.0.1', port: 1 } as const
    const health = { check, interval: 1, timeout: 1, failureThreshold: 1, startupTimeout: 1 }
    const restart = { name: 'web', health: { ...health, onFailure: 'restart' } } as const
    const report = { name: 'web', health: { ...health, onFailure: 'report' } } as const
    const unhealthy = new Set(['web'])
    expect(acts(planOne(asDeclared(restart), { unhealthy }))).toEqual(['restart unhealthy'])
    expect(acts(planOne(asDeclared(report), { unhealthy }))).toEqual([])
    expect(acts(planOne(asDeclared(restart), { unhealthy: new Set(['db']) }))).toEqual([])
    expect(acts(planOne(asDeclared({ name: 'web' }), { unhealthy }))).toEqual([])
  })

  test('E11: a service that its supervisor will start again is left to the supervisor', () => {
    const { loaded: _loaded, pid: _pid, ...observed } = asDeclared({ name: 'web' }).observed as Observed
    const waiting = { ...observed, state: 'starting', restarts: 4 } as const
    expect(acts(planOne({ ...asDeclared({ name: 'web' }), observed: waiting }))).toEqual([])
    // A fix isn't delayed by the backoff of the bad definition (E6).
    const fixed = madeFrom({ name: 'web', command: ['/bin/fixed'] }, { name: 'web' })
    expect(acts(planOne({ ...fixed, observed: waiting }))).toEqual([
      'install definition-changed',
      'restart definition-changed',
    ])
    const silent = madeFrom({ name: 'web', command: ['/bin/fixed'], onChange: 'none' }, { name: 'web' })
    expect(acts(planOne({ ...silent, observed: waiting }))).toEqual(['install definition-changed'])
    // A reload has no running process to reach: repeating it would never end.
    const reloads = { name: 'web', reload: true, onChange: 'reload' } as const
    const stale = madeFrom({ ...reloads, command: ['/bin/fixed'] }, reloads).observed?.loaded
    const row = asDeclared({ ...reloads, command: ['/bin/fixed'] })
    const known = { ...waiting, ...(row.observed?.ownership ? { ownership: row.observed.ownership } : {}) }
    expect(acts(planOne({ ...row, observed: { ...known, ...(stale ? { loaded: stale } : {}) } }))).toEqual([
      'restart out-of-date',
    ])
  })

  test('E11: the controller leaves a waiting service to its supervisor, a manual apply starts it at once', () => {
    const found = (more: Partial<Observed>) => {
      const { pid: _, ...rest } = asDeclared({ name: 'web' }).observed ?? unknownService('web', 'nobody looked')
      return { ...asDeclared({ name: 'web' }), observed: { ...rest, ...more } }
    }
    const waits = found({ state: 'starting', restarts: 3 })
    expect(acts(planOne(waits))).toEqual([])
    expect(acts(planOne(waits, { startsWaiting: true }))).toEqual(['start failed'])
    const others: Partial<Observed>[] = [
      { state: 'starting', restarts: 3, pid: 7 },
      { state: 'starting' },
      { state: 'running', restarts: 3, pid: 7 },
    ]
    for (const other of others) expect(acts(planOne(found(other), { startsWaiting: true }))).toEqual([])
  })

  test('a suspended facility is observed and reported, without steps', () => {
    const plan = planOne(asDeclared({ name: 'web', suspend: true }, { state: 'stopped', enabled: false }))
    expect([plan.change, plan.steps, plan.blocked, plan.suspended]).toEqual(['none', [], undefined, true])
    expect(plan.withheld).toMatchObject({ change: 'repair', steps: [{ id: 'web/enable' }, { id: 'web/start' }] })
    expect(planOne(asDeclared({ name: 'web', suspend: true })).withheld).toBeUndefined()
    const foreign = planOne(unowned({ name: 'web', suspend: true }))
    expect([foreign.blocked, foreign.withheld?.blocked]).toEqual([undefined, expect.stringContaining('adopt: true')])
  })
})

describe('a facility without a definition', () => {
  const packaged = { name: 'ssh', command: null } as const

  test('only manages state and enablement, and needs no adopt', () => {
    expect(acts(planOne(unowned(packaged, { state: 'stopped', enabled: false })))).toEqual([
      'enable enablement',
      'start stopped',
    ])
    expect(planOne(unowned(packaged)).steps).toEqual([])
    expect(planOne(unowned(packaged, { state: 'failed' })).change).toBe('change')
  })

  test('that is absent is up to date if declared stopped and disabled', () => {
    const unwanted = { ...packaged, state: 'stopped', enabled: false } as const
    expect(planOne(notThere(unwanted))).toMatchObject({ change: 'none', steps: [] })
    expect(planOne(notThere(unwanted)).blocked).toBeUndefined()
    for (const other of [
      { ...unwanted, enabled: true },
      { ...unwanted, state: 'running' },
    ] as const) {
      expect(planOne(notThere(other)).blocked).toContain('has no service ssh')
    }
  })

  test('that is absent and declared running is blocked, and the message names both ways out', () => {
    const plan = planOne(notThere(packaged))
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe(
      "supervisor alpha has no service ssh, and the manifest doesn't say how to run one: install the package that brings it, or declare spec.process",
    )
  })
})

describe('enablement', () => {
  const rows: [declared: Facility['enabled'], observed: Observed['enabled'], expected: string[]][] = [
    [true, true, []],
    [true, false, ['enable enablement-drift']],
    [true, 'partly', ['enable enablement-drift']],
    [true, 'unknown', []],
    [false, true, ['disable enablement-drift']],
    [false, false, []],
    [false, 'partly', ['disable enablement-drift']],
    [false, 'unknown', []],
    ['unmanaged', true, []],
    ['unmanaged', false, []],
    ['unmanaged', 'partly', []],
    ['unmanaged', 'unknown', []],
    ['unmanaged', 'fixed', []],
  ]
  for (const [declared, observed, expected] of rows) {
    test(`declared ${declared}, observed ${observed}: ${expected.join() || 'nothing'}`, () => {
      const plan = planOne(asDeclared({ name: 'web', enabled: declared }, { enabled: observed }))
      expect(plan.blocked).toBeUndefined()
      expect(acts(plan)).toEqual(expected)
    })
  }

  test('of a service that can be neither enabled nor disabled is reported, not retried for ever', () => {
    for (const enabled of [true, false] as const) {
      const plan = planOne(
        unowned({ name: 'ssh', command: null, enabled }, { enabled: 'fixed', message: 'it is static' }),
      )
      expect(plan.steps).toEqual([])
      expect(plan.blocked).toBe(
        'service ssh can be neither enabled nor disabled (it is static): declare enabled: unmanaged',
      )
    }
    expect(planOne(asDeclared({ name: 'web' }, { enabled: 'fixed' })).blocked).toContain(
      '(its definition allows neither): declare enabled: unmanaged',
    )
  })

  test('is applied once an edited definition that prevents it is restored', () => {
    const web = { name: 'web' } as const
    const row = madeFrom(web, { name: 'web', command: ['/bin/edited'] }, { enabled: 'fixed' })
    const plan = planOne(row)
    expect(plan.blocked).toBeUndefined()
    expect(plan.steps.map(step => step.verb)).toEqual(['install', 'enable', 'restart'])
    const off = madeFrom({ ...web, enabled: false }, { name: 'web', command: ['/bin/edited'] }, { enabled: 'fixed' })
    expect(planOne(off).steps.map(step => step.verb)).toEqual(['install', 'disable', 'restart'])
  })
})
