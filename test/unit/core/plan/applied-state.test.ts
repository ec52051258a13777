import { describe, expect, test } from 'vitest'
import { assumeApplied } from '../../../../src/core/plan/applied-state.ts'
import { makePlan } from '../../../../src/core/plan/planning.ts'
import { type Declaration, OWNER, resolveFacility, sha256 } from '../../../simulation/declaration.ts'
import { acts, facilityIn } from '../../../simulation/planning-case.ts'

function compare(older: readonly Omit<Declaration, 'name'>[], newer: readonly Omit<Declaration, 'name'>[]): string[] {
  const named = (all: readonly Omit<Declaration, 'name'>[]) => all.map(one => resolveFacility({ name: 'web', ...one }))
  const targets = named(newer)
  const assumed = assumeApplied(named(older), { next: targets, owner: OWNER, hash: sha256 })
  return acts(facilityIn(makePlan({ ...assumed, targets, owner: OWNER, prune: true }, sha256), 'web'))
}

const changed = ['/bin/daemon', '2']

describe('of what a base leaves unmanaged, a comparison shows each step that may be needed', () => {
  test.each<[title: string, Omit<Declaration, 'name'>, Omit<Declaration, 'name'>, string[]]>([
    ['a state that is declared now', { state: 'unmanaged' }, { state: 'running' }, ['start stopped']],
    ['a stop that is declared now', { state: 'unmanaged' }, { state: 'stopped' }, ['stop running']],
    [
      'a changed definition, as it may run',
      { state: 'unmanaged' },
      { state: 'unmanaged', command: changed },
      ['install definition-changed', 'restart definition-changed'],
    ],
    ['enablement that is declared now', { enabled: 'unmanaged' }, { enabled: true }, ['enable enablement']],
    ['its opposite', { enabled: 'unmanaged' }, { enabled: false }, ['disable enablement']],
    ['nothing new', { enabled: 'unmanaged', state: 'unmanaged' }, { enabled: 'unmanaged', state: 'unmanaged' }, []],
  ])('%s', (_title, older, newer, steps) => {
    expect(compare([older], [newer])).toEqual(steps)
  })
})

describe('a comparison', () => {
  test('takes a service that others define for otherwise than declared', () => {
    expect(compare([], [{ command: null }])).toEqual(['enable enablement', 'start stopped'])
    expect(compare([], [{ command: null, state: 'stopped', enabled: false }])).toEqual([
      'disable enablement',
      'stop running',
    ])
  })

  test('takes a facility that the base cannot have for one that was never applied', () => {
    expect(compare([{ problems: ['no'] }], [{}])).toEqual(['install new', 'enable new', 'start new'])
  })

  test('runs a job again whose definition has changed', () => {
    const job: Omit<Declaration, 'name'> = { command: ['/bin/job'], restart: 'never' }
    expect(compare([job], [{ ...job, command: ['/bin/job', '2'] }])).toEqual([
      'install definition-changed',
      'start stopped',
    ])
    expect(compare([job], [job])).toEqual([])
  })

  test('removes a file that Reeve wrote, and never more than once', () => {
    const file = { path: '/etc/web', content: 'a\n' }
    expect(compare([{ files: [file] }], [{}])).toContain('remove-file file-dropped')
    expect(
      compare([{ files: [file] }], [{ files: [{ ...file, onChange: 'reload', content: 'b\n' }], reload: true }]),
    ).toContain('write-file file-changed')
  })
})
