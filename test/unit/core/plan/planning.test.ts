import { describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../../../src/core/model/diagnostic.ts'
import type { Process } from '../../../../src/core/model/facility.ts'
import { usedFields } from '../../../../src/core/model/portable-fields.ts'
import { makeFacility } from '../../../simulation/declaration.ts'
import {
  asDeclared,
  definitionPathOf,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  planCases,
  unowned,
  withFile,
} from '../../../simulation/planning-case.ts'

const gone = ownedAt({ name: 'gone' })
const rows = [
  asDeclared({ name: 'same' }),
  notThere({ name: 'fresh' }),
  madeFrom({ name: 'edited', command: ['/bin/daemon', '2'] }, { name: 'edited' }),
  asDeclared({ name: 'down' }, { state: 'stopped' }),
  unowned({ name: 'theirs' }),
]
const present = { owned: [gone.location], services: { [gone.key]: gone.observed } }

describe('a plan', () => {
  test('counts each facility once in its summary', () => {
    const { summary, facilities } = planCases(rows, present)
    expect(summary).toEqual({ add: 1, change: 1, repair: 1, remove: 1, unchanged: 1, blocked: 1 })
    expect(facilities.map(({ name }) => name)).toEqual(['down', 'edited', 'fresh', 'gone', 'same', 'theirs'])
  })

  test('has the same bytes for the same input in another order', () => {
    const plan = planCases(rows, present)
    expect(JSON.stringify(planCases([...rows].reverse(), present))).toBe(JSON.stringify(plan))
    expect(plan.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  test('sorts diagnostics by position', () => {
    const at = (file: string, line: number, column: number, code = 'x'): Diagnostic => {
      return { file, line, column, severity: 'error', code, message: 'm' }
    }
    const sorted = [at('a', 1, 2), at('a', 1, 3), at('a', 2, 1, 'a'), at('a', 2, 1, 'b'), at('a', 10, 1), at('b', 1, 1)]
    const shuffled = [4, 1, 2, 5, 0, 3].flatMap(index => sorted[index] ?? [])
    expect(planCases([], { diagnostics: shuffled }).diagnostics).toEqual(sorted)
    expect(planCases([], { diagnostics: [...sorted].reverse() }).diagnostics).toEqual(sorted)
  })

  test('has different digests for different contents that the plan does not show', () => {
    const secret = (content: string) => notThere({ name: 'web', files: [{ path: '/etc/key', content, mode: 0o600 }] })
    const [one, two] = [planCases([secret('one')]), planCases([secret('two')])]
    expect(JSON.stringify(one.facilities)).toBe(JSON.stringify(two.facilities))
    expect(one.digest).not.toBe(two.digest)
  })

  test('E17: has a digest of only what a plan can act on', () => {
    const one = planCases([asDeclared({ name: 'web' }, { pid: 1, since: 1, restarts: 0 })])
    const two = planCases([asDeclared({ name: 'web' }, { pid: 2, since: 2, restarts: 1, message: 'up' })])
    expect(two.digest).toBe(one.digest)
  })

  test('includes a facility without steps, as unchanged', () => {
    expect(facilityIn(planCases(rows), 'same')).toEqual({
      name: 'same',
      supervisor: 'alpha',
      service: 'same',
      change: 'none',
      steps: [],
    })
  })

  test('has steps with the fields of their kind only', () => {
    const row = withFile(notThere({ name: 'web', files: [{ path: '/etc/web', content: 'x\n' }] }), '/etc/other', 'x')
    const [install, write, enable] = facilityIn(planCases([row]), 'web').steps
    expect(Object.keys(install ?? {})).toEqual(['id', 'verb', 'reason', 'needs', 'diff'])
    expect(Object.keys(write ?? {})).toEqual(['id', 'verb', 'reason', 'needs', 'path', 'diff'])
    expect(Object.keys(enable ?? {})).toEqual(['id', 'verb', 'reason', 'needs'])
    expect(install?.diff).toContain(`--- /dev/null\n+++ ${definitionPathOf(row)}\n`)
  })
})

describe('portable fields in use', () => {
  const plain = makeFacility({ name: 'web' }).process as Process

  const cases: [more: Partial<Process>, field: string][] = [
    [{ workingDirectory: '/' }, 'workingDirectory'],
    [{ user: 'web' }, 'user'],
    [{ group: 'web' }, 'group'],
    [{ umask: 0 }, 'umask'],
    [{ environment: { A: '1' } }, 'environment'],
    [{ environment: { A: { fromFile: '/a' } } }, 'environment.fromFile'],
    [{ environmentFiles: ['/a'] }, 'environmentFiles'],
    [{ limits: { nofile: 1 } }, 'limits'],
    [{ restart: { policy: 'never', delay: 1_000 } }, 'restart.policy'],
    [{ restart: { policy: 'always', delay: 0 } }, 'restart.delay'],
    [{ stop: { signal: 'INT', timeout: 10_000 } }, 'stop.signal'],
    [{ stop: { signal: 'TERM', timeout: 1 } }, 'stop.timeout'],
    [{ reload: { signal: 'HUP' } }, 'reload.signal'],
    [{ reload: { command: ['/bin/true'] } }, 'reload.command'],
    [{ output: { file: '/a' } }, 'output.file'],
    [{ output: { file: '/a', maxSize: 1 } }, 'output.maxSize'],
    [{ output: { file: '/a', keep: 1 } }, 'output.keep'],
  ]
  for (const [more, field] of cases) {
    test(`${field} counts as used: a provider must honour or refuse it`, () => {
      const around = more.output ? ['output.file'] : []
      expect(new Set(usedFields({ ...plain, ...more }))).toEqual(new Set(['command', ...around, field]))
    })
  }

  test('a default without effect does not count as used', () => {
    expect(usedFields(plain)).toEqual(['command'])
  })
})
