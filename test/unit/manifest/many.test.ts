import { describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../../src/core/model/diagnostic.ts'
import { cycleText, findCycles } from '../../../src/manifest/check/dependency-cycle.ts'
import { facilityText, loadFiles, supervisorText } from '../../tools/manifest-directory.ts'

/** More than are told of, also where two make one mistake. */
const many = 420

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Diagnostics of so many documents and the processor time in seconds. */
function check(documents: readonly string[], perFile = 200): { diagnostics: readonly Diagnostic[]; seconds: number } {
  const files: Record<string, string> = {}
  for (let at = 0; at < documents.length; at += perFile) {
    files[`${String(at).padStart(5, '0')}.yaml`] = documents.slice(at, at + perFile).join('---\n')
  }
  const before = process.cpuUsage()
  const { diagnostics } = loadFiles(files)
  const { user, system } = process.cpuUsage(before)
  return { diagnostics, seconds: (user + system) / 1_000_000 }
}

const run = 'process: { command: [/bin/true] }'

describe('S12: thousands of facilities with the same mistake:', () => {
  test('a long cycle is one error with the shortened cycle', () => {
    const { diagnostics, seconds } = check(
      numbers(many).map(index => facilityText(`a${index}`, `${run}, dependsOn: [a${(index + 1) % many}]`)),
    )
    expect(diagnostics.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'dependency-cycle: facilities depend on each other: a0 → a1 → a2 → a3 → a4 → … (410 more) → a415 → a416 → a417 → a418 → a419 → a0',
    ])
    expect(seconds).toBeLessThan(5)
  })

  const steps = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
  test.each<[name: string, documents: () => string[], code: string]>([
    [
      'many ways round',
      () =>
        numbers(many).map(i =>
          facilityText(`a${i}`, `${run}, dependsOn: [${steps.map(step => `a${(i + step) % many}`).join(', ')}]`),
        ),
      'dependency-cycle',
    ],
    [
      'cycles of two',
      () => numbers(many).map(i => facilityText(`a${i}`, `${run}, dependsOn: [a${i ^ 1}]`)),
      'dependency-cycle',
    ],
    [
      'self-dependencies',
      () => numbers(many).map(i => facilityText(`a${i}`, `${run}, dependsOn: [a${i}]`)),
      'dependency-cycle',
    ],
    ['one name', () => numbers(many).map(() => facilityText('web', run)), 'duplicate-facility'],
    [
      'one service',
      () => numbers(many).map(i => facilityText(`a${i}`, `${run}, serviceName: web`)),
      'duplicate-service',
    ],
    [
      'one path',
      () => numbers(many).map(i => facilityText(`a${i}`, `${run}, files: [{ path: /srv/x, content: "" }]`)),
      'duplicate-path',
    ],
    ['one supervisor', () => numbers(many).map(() => supervisorText('own', 'type: runit')), 'duplicate-supervisor'],
    [
      'unknown dependencies',
      () => numbers(many).map(i => facilityText(`a${i}`, `${run}, dependsOn: [facility-${i}]`)),
      'unknown-dependency',
    ],
    [
      'unknown supervisors',
      () =>
        numbers(many).map(i =>
          i % 2 === 0
            ? facilityText(`a${i}`, `${run}, supervisor: zupervisor-${i}`)
            : supervisorText(`supervisor-${i}`, 'type: runit'),
        ),
      'unknown-supervisor',
    ],
    [
      'an invalid facility that all depend on',
      () => numbers(many).map(i => facilityText(`a${i}`, i === 0 ? 'state: of' : `${run}, dependsOn: [a0]`)),
      'unknown-dependency',
    ],
    [
      'unknown fields',
      () => [
        facilityText(
          'a',
          numbers(many)
            .map(i => `field${i}: 1`)
            .join(', '),
        ),
      ],
      'unknown-field',
    ],
    [
      'invalid names',
      () => [
        facilityText(
          'a',
          `process: { command: [/bin/true], environment: { ${numbers(many)
            .map(i => `"1x${i}": 1`)
            .join(', ')} } }`,
        ),
      ],
      'invalid-name',
    ],
  ])('%s: some are reported, with the number of the others', (_, documents, code) => {
    const { diagnostics, seconds } = check(documents())
    expect(diagnostics.some(diagnostic => diagnostic.code === code)).toBe(true)
    expect(diagnostics.length).toBeLessThan(410)
    expect(Math.max(...diagnostics.map(({ message }) => message.length))).toBeLessThan(500)
    expect(seconds).toBeLessThan(10)
  })

  test('a chain of dependents of an invalid facility is reported at once', () => {
    const count = 400
    const { diagnostics, seconds } = check(
      numbers(count).map(i => facilityText(`a${i}`, i === 0 ? 'state: of' : `${run}, dependsOn: [a${i - 1}]`)),
      1,
    )
    expect(diagnostics).toContainEqual(
      expect.objectContaining({
        code: 'more-problems',
        message: `${count - 1 - 200} more of unknown-dependency are not shown`,
      }),
    )
    expect(seconds).toBeLessThan(5)
  })
})

test.each([
  [{ a: ['b'], b: ['a'] }, ['a → b → a']],
  [{ b: ['c'], c: ['a'], a: ['b'] }, ['a → b → c → a']],
  [{ a: ['a'], b: ['a'] }, []],
  [{ a: ['b', 'c'], b: ['c'], c: ['a'], d: ['a'] }, ['a → c → a; so do 1 more by way of these']],
  [{ d: ['c'], c: ['d', 'a'], a: ['b'], b: ['a'] }, ['a → b → a', 'c → d → c']],
  [{ a: ['gone'], b: [] }, []],
] as const)('cycles of %j', (dependencies, expected) => {
  const graph = new Map<string, readonly string[]>(Object.entries(dependencies))
  expect(findCycles(graph).map(cycleText)).toEqual(expected)
})

test('S12: a cycle of 20,000 exhausts no stack', () => {
  const graph = new Map(numbers(20_000).map(index => [`a${index}`, [`a${(index + 1) % 20_000}`]]))
  expect(findCycles(graph).map(({ members }) => members.length)).toEqual([20_000])
})
