import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** What holds for every line of the sources, and no type and no linter tells. */
const sources = ['src', 'providers'].flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name)),
)

function linesWith(pattern: RegExp): string[] {
  return sources.flatMap(file =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => pattern.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
      .map(line => `${file}: ${line.trim()}`),
  )
}

test('E23: no deadline is made of signals that can be collected before they fire (nodejs/node#57736)', () => {
  expect(sources.length).toBeGreaterThan(200)
  expect(linesWith(/AbortSignal\s*\.\s*(any|timeout)\b/)).toEqual([])
})

test('E23: timers are those of the clock', () => {
  const own = ['src/host/clock.ts', 'src/host/common-beat.ts']
  /** Which waits before it connects anew, and gives nothing up. */
  const retries = ['providers/systemd/observe/watch.ts']
  /** Tests, in the end. */
  const suite = ['src/conformance/lab.ts', 'src/conformance/state-cases.ts']
  const found = linesWith(/\bset(Timeout|Interval)\b|timers\/promises/).map(line => line.slice(0, line.indexOf(': ')))
  expect(new Set(found)).toEqual(new Set([...own, ...retries, ...suite]))
})

test('S12: objects that are filled by key are dictionaries, but for those of our own words', () => {
  const ourOwn = [
    'providers/process/shared/configuration-schema.ts',
    'src/commands/install.ts',
    'src/conformance/state-cases.ts',
    'src/core/policy/coverage.ts',
  ]
  /** Which refuses `__proto__` as a key; what reads the values looks them up. */
  const guarded = ['src/manifest/yaml-document.ts']
  const found = linesWith(/Record<string,.*> = \{( \.\.\.|\})|Object\.fromEntries/)
  expect(new Set(found.map(line => line.slice(0, line.indexOf(': '))))).toEqual(new Set([...ourOwn, ...guarded]))
})
