import { describe, expect, test } from 'vitest'
import { meetingPointsOf } from '../../../../src/core/plan/meeting-point.ts'
import type { Plan } from '../../../../src/core/plan/step.ts'
import { type Declaration, makeFacility, markerOf, resolveFacility, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  type PlanningCase,
  type PlanOptions,
  planCases,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

function needsOf(plan: Plan, id: string): readonly string[] | undefined {
  return plan.facilities.flatMap(facility => facility.steps).find(step => step.id === id)?.needs
}

/** Cases with a command each, so that they share only what a test says. */
function own(declaration: Declaration): Declaration {
  return { command: ['/bin/daemon', declaration.name], ...declaration }
}

function orphans(...declarations: readonly Declaration[]): PlanOptions {
  const all = declarations.map(declaration => ownedAt(declaration))
  return {
    owned: all.map(({ location }) => location),
    services: Object.fromEntries(all.map(({ key, observed }) => [key, observed])),
  }
}

/** Marker of an earlier version. */
function withoutPoints(declaration: Declaration): PlanOptions {
  const { meets: _, ...ownership } = markerOf(makeFacility(declaration))
  const { location, key, observed } = ownedAt(declaration, { ownership })
  return { owned: [location], services: { [key]: observed } }
}

describe('E24: a meeting point', () => {
  test.each<[string, Partial<Declaration>, readonly string[]]>([
    ['a working directory', { directory: '/srv/web' }, ['dir:/srv/web']],
    ['the root directory is none', { directory: '/' }, []],
    ['a file', { files: [{ path: '/etc/web', content: '' }] }, ['file:/etc/web']],
    ['a port', { port: 8080 }, ['port:8080']],
  ])('%s', (_title, declaration, points) => {
    const found = meetingPointsOf(makeFacility({ name: 'web', ...declaration }), sha256)
    expect(found.filter(point => !point.startsWith('cmd:'))).toEqual(points)
  })

  test.each([
    ['http://127.0.0.1:8080/healthz', 'port:8080'],
    ['http://[::1]:8080', 'port:8080'],
    ['http://localhost', 'port:80'],
    ['HTTPS://localhost/x', 'port:443'],
  ])('includes the port of %s', (url, point) => {
    const times = { interval: 1, timeout: 1, failureThreshold: 1, startupTimeout: 1, onFailure: 'report' } as const
    const facility = makeFacility({ name: 'web', health: { check: { type: 'http', url }, ...times } })
    expect(meetingPointsOf(facility, sha256)).toContain(point)
  })

  test('includes an equal command, as a digest that does not reveal it', () => {
    const [one, two, other] = [['a', 'secret'], ['a', 'secret'], ['a']].map(command =>
      meetingPointsOf(makeFacility({ name: 'web', command }), sha256),
    )
    expect(one).toEqual(two)
    expect(one).not.toEqual(other)
    expect(one?.join()).not.toContain('secret')
  })
})

describe('E24: at a meeting point the leaving service stops before the coming one starts:', () => {
  const shared: [string, Partial<Declaration>][] = [
    ['a port', { port: 80 }],
    ['a directory', { directory: '/srv/web' }],
    ['a file', { files: [{ path: '/etc/web', content: 'x' }] }],
    ['a command', { command: ['/usr/bin/web'] }],
  ]
  test.each(shared)('a rename that keeps %s', (_title, more) => {
    const row = { ...notThere(own({ name: 'new', ...more })), files: new Map() }
    const plan = planCases([row], orphans(own({ name: 'old', ...more })))
    expect(needsOf(plan, 'new/start')).toContain('old/stop')
    expect(needsOf(plan, 'old/stop')).toEqual([])
  })

  test.each(['running', 'stopped'] as const)(
    'a file of a facility declared %s is written after its former owner has ended, which may write it as it ends',
    state => {
      const files = [{ path: '/etc/web', content: 'x' }]
      const row = { ...notThere(own({ name: 'new', files, state })), files: new Map() }
      const plan = planCases([row], orphans(own({ name: 'old', files })))
      expect(needsOf(plan, 'new/write-file:/etc/web')).toContain('old/stop')
      expect(needsOf(plan, 'old/remove')).toContain('new/install')
    },
  )

  test('E5: other facilities wait for nothing', () => {
    const plan = planCases([notThere(own({ name: 'new', port: 81 }))], orphans(own({ name: 'old', port: 80 })))
    expect(needsOf(plan, 'new/start')).toEqual(['new/enable'])
  })

  test('a port passes from one facility to another', () => {
    const giver = madeFrom(own({ name: 'a', port: 81 }), own({ name: 'a', port: 80 }))
    const marker = markerOf(makeFacility(own({ name: 'a', port: 80 })))
    const observed = giver.observed && { ...giver.observed, ownership: marker }
    const rows = [{ ...giver, observed }, notThere(own({ name: 'b', port: 80 }))]
    expect(needsOf(planCases(rows), 'b/start')).toContain('a/restart')
    const stopping = { ...asDeclared(own({ name: 'a', state: 'stopped' }), { state: 'running' }), observed }
    expect(needsOf(planCases([stopping, rows[1] as PlanningCase]), 'b/start')).toContain('a/stop')
  })

  test('E4: a move whose marker is already new and whose process is still the old one', () => {
    const installed = asDeclared(own({ name: 'a', port: 81 }), { loaded: { definition: 'older', files: {} } })
    const before = meetingPointsOf(makeFacility(own({ name: 'a', port: 80 })), sha256)
    const applied = { digest: 'older', supervisor: 'alpha', service: 'a', files: [], meets: before }
    const plan = planCases([{ ...installed, applied }, notThere(own({ name: 'b', port: 80 }))])
    expect(needsOf(plan, 'b/start')).toContain('a/restart')
  })

  function swap(name: string, from: number, to: number, more: Partial<Declaration> = {}): PlanningCase {
    const row = madeFrom(own({ name, port: to, ...more }), own({ name, port: from }))
    const ownership = markerOf(makeFacility(own({ name, port: from })))
    return { ...row, observed: row.observed && { ...row.observed, ownership } }
  }

  test('E4: a takeover whose marker is already there and whose former process still runs', () => {
    const former = own({ name: 'former', service: 'place', port: 80 })
    const meets = meetingPointsOf(makeFacility(former), sha256)
    const installed = asDeclared(own({ name: 'next', service: 'place' }), {
      loaded: { definition: 'older', files: {} },
    })
    const rows = [installed, notThere(own({ name: 'new', port: 80 }))].map(withoutRecord)
    const applied = new Map([['former', { digest: 'older', supervisor: 'alpha', service: 'place', files: [], meets }]])
    expect(needsOf(planCases(rows, { applied }), 'new/start')).toContain('next/restart')
  })

  test('E4: a port named by the marker, of a process that has not been restarted yet', () => {
    const installed = asDeclared(own({ name: 'web', port: 80 }), { loaded: { definition: 'older', files: {} } })
    const meets = meetingPointsOf(makeFacility(own({ name: 'web', port: 90 })), sha256)
    const applied = { digest: 'older', supervisor: 'alpha', service: 'web', files: [], meets }
    const plan = planCases([{ ...installed, applied }], orphans(own({ name: 'old', port: 80 })))
    expect(needsOf(plan, 'web/restart')).toEqual(['old/stop'])
  })

  const reloaded = { reload: true, onChange: 'reload' } as const

  test("a reload onto a port waits for the end of the port's former owner", () => {
    const row = madeFrom(own({ name: 'web', port: 80, ...reloaded }), own({ name: 'web', port: 90, ...reloaded }))
    const ownership = markerOf(makeFacility(own({ name: 'web', port: 90, ...reloaded })))
    const rows = [{ ...row, observed: row.observed && { ...row.observed, ownership } }]
    expect(needsOf(planCases(rows, orphans(own({ name: 'old', port: 80 }))), 'web/reload')).toContain('old/stop')
    expect(needsOf(planCases(rows, orphans(own({ name: 'old', port: 81 }))), 'web/reload')).toEqual(['web/install'])
    expect(needsOf(planCases([...rows, notThere(own({ name: 'new', port: 90 }))]), 'new/start')).toContain('web/reload')
  })

  test('two that swap ports, one by a reload, do not deadlock', () => {
    const plan = planCases([swap('a', 80, 81, reloaded), swap('b', 81, 80)])
    expect(needsOf(plan, 'a/reload')).toEqual(['a/install', 'b/stop'])
    expect(needsOf(plan, 'b/start')).toEqual(['a/reload', 'b/stop'])
  })

  test('two that swap ports are both stopped, then started', () => {
    const plan = planCases([swap('a', 80, 81), swap('b', 81, 80)])
    expect(acts(facilityIn(plan, 'a'))).toEqual([
      'install definition-changed',
      'stop definition-changed',
      'start definition-changed',
    ])
    expect(needsOf(plan, 'a/start')).toEqual(['a/stop', 'b/stop'])
    expect(needsOf(plan, 'b/start')).toEqual(['a/stop', 'b/stop'])
  })

  test('E4: a service of unmanaged state restarts at once, as nothing would start it after a crash', () => {
    const plan = planCases([swap('a', 80, 81), swap('b', 81, 80, { state: 'unmanaged' })])
    expect(acts(facilityIn(plan, 'b'))).toEqual(['install definition-changed', 'restart definition-changed'])
    expect(needsOf(plan, 'b/restart')).toEqual(['a/stop', 'b/install'])
    expect(needsOf(plan, 'a/start')).toEqual(['a/stop', 'b/restart'])
    const both = planCases([swap('a', 80, 81, { state: 'unmanaged' }), swap('b', 81, 80, { state: 'unmanaged' })])
    expect(both.facilities.flatMap(acts).filter(act => act.startsWith('stop'))).toEqual([])
  })

  test('services that share a place on purpose do not wait for each other', () => {
    const changed = (name: string): PlanningCase =>
      madeFrom(
        { name, directory: '/srv', command: ['/bin/daemon', name, '2'] },
        { name, directory: '/srv', command: ['/bin/daemon', name] },
      )
    const plan = planCases([changed('web'), changed('worker')])
    expect(needsOf(plan, 'web/restart')).toEqual(['web/install'])
    expect(needsOf(plan, 'worker/restart')).toEqual(['worker/install'])
  })

  test('a marker without places uses the record; without a record it may meet any service', () => {
    const rows = [notThere(own({ name: 'new', port: 80 })), notThere(own({ name: 'other', port: 90 }))]
    const old = own({ name: 'old', port: 80 })
    const unknown = planCases(rows, withoutPoints(old))
    expect(needsOf(unknown, 'new/start')).toContain('old/stop')
    expect(needsOf(unknown, 'other/start')).toContain('old/stop')
    const meets = meetingPointsOf(makeFacility(old), sha256)
    const applied = new Map([['old', { digest: 'x', supervisor: 'alpha', service: 'old', files: [], meets }]])
    const known = planCases(rows, { ...withoutPoints(old), applied })
    expect(needsOf(known, 'new/start')).toContain('old/stop')
    expect(needsOf(known, 'other/start')).toEqual(['other/enable'])
  })

  test('the plan of a thousand renames in one directory stays small', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => String(index))
    const rows = names.map(name => notThere(own({ name: `new${name}`, directory: '/srv' })))
    const plan = planCases(rows, orphans(...names.map(name => own({ name: `old${name}`, directory: '/srv' }))))
    const needs = plan.facilities.flatMap(({ steps }) => steps.flatMap(step => step.needs))
    expect(needs.length).toBeLessThan(10_000)
  })
})

describe('E24: what cannot be stopped first', () => {
  test('E7: a leaving service of unknown state defers those that could meet it, and no others', () => {
    const { location, key, observed } = ownedAt(own({ name: 'old', port: 80 }), { state: 'unknown', message: 'hidden' })
    const rows = [notThere(own({ name: 'new', port: 80 })), notThere(own({ name: 'other', port: 90 }))]
    const plan = planCases(rows, { owned: [location], services: { [key]: observed } })
    expect(facilityIn(plan, 'new').blocked).toBe(
      'it would meet old (port 80), which no manifest declares any more: ' +
        "its state is unknown, so it can't be stopped first (hidden)",
    )
    expect(facilityIn(plan, 'other').blocked).toBeUndefined()
  })

  test('E9: while manifests are invalid, nothing is removed, and nothing starts on the port', () => {
    const more = { ...orphans(own({ name: 'old', port: 80, directory: '/srv' })), prune: false }
    const rows = [notThere(own({ name: 'new', port: 80 })), notThere(own({ name: 'neighbour', directory: '/srv' }))]
    const plan = planCases(rows, more)
    expect(facilityIn(plan, 'new').blocked).toContain('it would meet old (port 80)')
    expect(facilityIn(plan, 'neighbour').blocked).toBeUndefined()
  })
})

describe('E3: a marker of an earlier version', () => {
  const web: Declaration = { name: 'web', port: 80 }
  const target = resolveFacility(web)
  const { meets: _, ...ownership } = markerOf(target.facility)
  const earlier = target.definition && {
    ...target.definition,
    files: target.definition.files.map(file => ({
      ...file,
      content: file.content.replace(/,\s*"meets": \[[^\]]*\]/, ''),
    })),
  }
  const row: PlanningCase = { ...asDeclared(web, { ownership }), target: { ...target, ...(earlier && { earlier }) } }
  const [file] = earlier?.files ?? []
  const found = { kind: 'file', content: new TextEncoder().encode(file?.content), mode: 0o644, uid: 0, gid: 0 } as const

  test('counts as up to date', () => {
    const plan = planCases([{ ...row, files: new Map([[file?.path ?? '', found]]) }])
    expect(file?.content).not.toContain('meets')
    expect(facilityIn(plan, 'web').steps).toEqual([])
  })

  test('is updated along with the next install, without a restart of its own', () => {
    const edited = { ...found, mode: 0o600 }
    const plan = planCases([{ ...row, files: new Map([[file?.path ?? '', edited]]) }])
    expect(acts(facilityIn(plan, 'web'))).toEqual(['install definition-drift'])
  })
})
