import { describe, expect, test } from 'vitest'
import type { ManifestOptions } from '../../../src/manifest/manifest-options.ts'
import { facilityText, loadFiles } from '../../tools/manifest-directory.ts'

describe('a document with mistakes of several kinds is reported in one run:', () => {
  const codesOf = (spec: string, options: Partial<ManifestOptions> = {}): string[] => {
    const set = loadFiles({ 'web.yaml': facilityText('web', spec) }, options)
    expect(set).toMatchObject({ facilities: [], complete: false })
    return set.diagnostics.map(({ code }) => code).sort()
  }

  test.each([
    ['a signal', 'process: { command: [a], cmd: b, stop: { signal: TRM } }', ['unknown-field', 'unknown-signal']],
    ['a source', 'tate: 1, files: [{ path: /a, source: ./none }]', ['source-unreadable', 'unknown-field']],
    ['a dependency', 'state: of, dependsOn: [gone]', ['invalid-value', 'unknown-dependency']],
    ['a supervisor', 'state: of, supervisor: nowhere', ['invalid-value', 'unknown-supervisor']],
    ['an incomplete section', 'process: { user: a }, dependsOn: [gone]', ['missing-field', 'unknown-dependency']],
    [
      'a value of a misspelt field',
      'process: { command: [a], stop: { tmeout: 1s, signal: TRM, timeout: 1 } }',
      ['unknown-field', 'unknown-signal', 'wrong-type'],
    ],
    [
      'native configuration',
      'state: of, supervisor: runit, config: { runit: { r: 1 } }',
      ['invalid-value', 'unsupported-config'],
    ],
  ])('%s', (_, spec, codes) => {
    expect(codesOf(spec, { schemaOf: () => ({}) })).toEqual(codes)
  })

  test('a consequence of a mistake is not reported', () => {
    const policy = { users: ['web'] }
    const spec = 'process: { command: [/bin/true], user: [web] }'
    expect(codesOf(spec, { policy, runsAsRoot: true, insecurePermissions: true })).toEqual(['wrong-type'])
    expect(codesOf('process: { comand: [a] }, config: { systemd: {} }')).toEqual(['unknown-field'])
  })
})

test('a facility naming an invalid supervisor is not told that the supervisor is undeclared', () => {
  const supervisor =
    'apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: mine }\nspec: { type: process, options: {} }\n'
  const files = { 'a-web.yaml': facilityText('web', 'supervisor: mine'), 'supervisor.yaml': supervisor }
  expect(loadFiles(files).diagnostics.map(({ code, message }) => [code, message])).toEqual([
    ['unknown-supervisor', 'there is no supervisor "mine" as long as its manifest is invalid'],
    ['unknown-field', expect.stringContaining('"options"')],
  ])
})

test('a warning is reported and invalidates nothing', () => {
  const spec = 'process: { command: [/bin/true] }, config: { runnit: { a: 1 }, elsewhere: { a: 1 } }'
  const set = loadFiles({ 'web.yaml': facilityText('web', spec) })
  expect(set).toMatchObject({
    complete: true,
    facilities: [{ name: 'web' }],
    diagnostics: [{ severity: 'warning', code: 'unknown-config-type', line: 4, column: 54 }],
  })
  expect(set.diagnostics[0]?.message).toContain('did you mean "runit"?')
})

test('two facilities cannot write one output, nor one the file of another as output', () => {
  const output = 'process: { command: [/bin/true], output: { file: /var/log/a } }'
  const { diagnostics } = loadFiles({
    'a.yaml': facilityText('a', output),
    'b.yaml': facilityText('b', output),
    'c.yaml': facilityText('c', 'files: [{ path: /var/log/a, content: x }]'),
  })
  expect(new Set(diagnostics.map(({ code, file }) => `${code} ${file.slice(-6)}`))).toEqual(
    new Set(['duplicate-path a.yaml', 'duplicate-path b.yaml', 'duplicate-path c.yaml']),
  )
})

test("a file that is the rotated or kept name of another facility's output is claimed twice", () => {
  const output = (name: string, file: string, keep: number): string =>
    facilityText(name, `process: { command: [/bin/true], output: { file: ${file}, keep: ${keep} } }`)
  const file = (path: string): string =>
    facilityText('file', `process: { command: [/bin/true] }, files: [{ path: ${path}, content: mine }]`)
  const codesOf = (files: Record<string, string>) =>
    loadFiles(files).diagnostics.map(({ code, message }) => `${code}: ${message}`)
  for (const end of ['1', '2', 'rotating']) {
    const path = `/var/log/web.${end}`
    for (const other of [file(path), output('file', path, 0)]) {
      const found = codesOf({ 'a.yaml': output('web', '/var/log/web', 2), 'b.yaml': other })
      expect(found.filter(one => one.startsWith(`duplicate-path: the path "${path}"`))).toHaveLength(2)
    }
  }
  for (const end of ['d', 'd/config', 'd/x/y']) {
    const path = `/var/log/web.${end}`
    const found = codesOf({ 'a.yaml': output('web', '/var/log/web', 0), 'b.yaml': file(path) })
    expect(found.filter(one => one.startsWith(`duplicate-path: the path "${path}"`))).toHaveLength(2)
  }
  for (const end of ['3', 'data/x', 'de/x', 'd2']) {
    expect(codesOf({ 'a.yaml': output('web', '/var/log/web', 2), 'b.yaml': file(`/var/log/web.${end}`) })).toEqual([])
  }
  const same = codesOf({ 'a.yaml': output('web', '/var/log/web', 2), 'b.yaml': output('db', '/var/log/web', 2) })
  expect(same).toHaveLength(2)
})
