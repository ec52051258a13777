import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseReference } from '../../../src/source/reference-choice.ts'
import { parseReferences } from '../../../src/source/remote-reference.ts'
import { nextFetch } from '../../../src/source/schedule.ts'

const references = [
  'refs/heads/main',
  'refs/heads/next',
  'refs/tags/v1.2.3',
  'refs/tags/v2.0.0-rc.1',
  'refs/tags/1.10.0',
  'refs/tags/nightly',
].map((name, index) => ({ name, id: String(index) }))

describe('the chosen reference', () => {
  test.each([
    [{ kind: 'default-branch' }, 'refs/heads/next'],
    [{ kind: 'branch', name: 'main' }, 'refs/heads/main'],
    [{ kind: 'branch', name: 'mai' }, undefined],
    [{ kind: 'tag', name: 'nightly' }, 'refs/tags/nightly'],
    [{ kind: 'semver', range: '*' }, 'refs/tags/1.10.0'],
    [{ kind: 'semver', range: '~1.2' }, 'refs/tags/v1.2.3'],
    [{ kind: 'semver', range: '^2' }, undefined],
    [{ kind: 'semver', range: '>=2.0.0-rc' }, 'refs/tags/v2.0.0-rc.1'],
  ] as const)('of %j is %s', (wish, name) => {
    expect(chooseReference(wish, { references, head: 'refs/heads/next' })?.name).toBe(name)
  })

  test('the answer of ls-remote gives references and what HEAD names', () => {
    expect(parseReferences('ref: refs/heads/main\tHEAD\nabc\tHEAD\nabc\trefs/heads/main\ndef\trefs/tags/v1\n')).toEqual(
      {
        head: 'refs/heads/main',
        references: [
          { name: 'refs/heads/main', id: 'abc' },
          { name: 'refs/tags/v1', id: 'def' },
        ],
      },
    )
    expect(parseReferences('')).toEqual({ references: [] })
  })
})

describe('the next fetch', () => {
  test('follows after the interval, plus or minus a tenth', () => {
    expect([0, 0.5, 1].map(random => nextFetch(60_000, 0, random))).toEqual([54_000, 60_000, 66_000])
  })

  test('is delayed further with each failure, up to ten minutes or the interval', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 3_600_000 }), fc.nat(1000), (interval, failures) => {
        const next = nextFetch(interval, failures, 0.5)
        expect(next).toBeGreaterThanOrEqual(interval)
        expect(next).toBeLessThanOrEqual(Math.max(interval, 600_000))
        expect(nextFetch(interval, failures + 1, 0.5)).toBeGreaterThanOrEqual(next)
      }),
    )
  })
})
