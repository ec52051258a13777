import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** Rules for every line of the sources that no type and no linter checks. */
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

test('E23: no deadline uses signals that can be collected before they fire (nodejs/node#57736)', () => {
  expect(sources.length).toBeGreaterThan(200)
  expect(linesWith(/AbortSignal\s*\.\s*(any|timeout)\b/)).toEqual([])
})

test('E23: timers are those of the clock', () => {
  const own = ['src/host/clock.ts', 'src/host/common-beat.ts']
  /** Test code. */
  const suite = ['src/conformance/eventually.ts', 'src/conformance/state-cases.ts']
  const found = linesWith(/\bset(Timeout|Interval)\b|timers\/promises/).map(line => line.slice(0, line.indexOf(': ')))
  expect(new Set(found)).toEqual(new Set([...own, ...suite]))
})

test('S12: objects that are filled by key are dictionaries, except for fixed keys', () => {
  /** Keys of our own, and of our schemas. */
  const ourOwn = ['src/cli/installing.ts', 'src/conformance/state-cases.ts', 'src/core/model/form.ts']
  /** Refuses `__proto__` as a key; readers of the values look them up. */
  const guarded = ['src/manifest/parse/yaml-document.ts']
  const found = linesWith(/Record<string,.*> = \{( \.\.\.|\})|Object\.fromEntries/)
  expect(new Set(found.map(line => line.slice(0, line.indexOf(': '))))).toEqual(new Set([...ourOwn, ...guarded]))
})

test('E2: what providers import of the host can only look', () => {
  const looking =
    `bus-error clock common-beat deadline disk-problem failure file-safety lock package-version pipe-reader process-identity
    process-sign program-check service-paths sha256 signals socket-lines unwritable-places`.split(/\s+/)
  const found = linesWith(/from '.*\/src\/host\/([\w-]+)\.ts'/).filter(line => line.startsWith('providers/'))
  expect(found.length).toBeGreaterThan(20)
  const isLooking = (line: string): boolean => looking.includes(/host\/([\w-]+)\.ts/.exec(line)?.[1] ?? '')
  /** The built-in supervisor is a program of its own, which makes its host. */
  const own = 'providers/process/provider/supervisor-start.ts'
  expect(found.filter(line => !isLooking(line) && !line.startsWith(own))).toEqual([])
})
