import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { crossCheck } from '../../../src/manifest/check/cross-check.ts'
import { createFacilityResolver } from '../../../src/manifest/check/facility-resolver.ts'
import type { ManifestOptions } from '../../../src/manifest/manifest-options.ts'
import type { ManifestSet } from '../../../src/manifest/manifest-set.ts'
import { createManifestSource, loadManifests } from '../../../src/manifest/manifest-source.ts'
import { parseManifest } from '../../../src/manifest/parse/manifest-file.ts'
import { localFiles, type ManifestFiles } from '../../../src/manifest/read/manifest-files.ts'
import { facilityText, makeDirectory, supervisorText, writeFiles } from '../../tools/manifest-directory.ts'

const types = ['process', 'runit']
const sleep = (seconds: number) => `process: { command: [/bin/sleep, "${seconds}"] }`

describe('E10: an invalid file counts with its last good facilities, and other files are unaffected:', () => {
  test.each([
    ['does not parse', 'apiVersion: [\n'],
    ['was truncated to nothing', ''],
    ['fits no schema', facilityText('web', 'state: of')],
    ['names an unknown supervisor', facilityText('web', 'supervisor: nowhere')],
    ['depends on an unknown facility', facilityText('web', 'dependsOn: [gone]')],
    ['claims what another file has', facilityText('db')],
  ])('a file that %s', (_, broken) => {
    const { directory, source } = makeSource({
      'web.yaml': facilityText('web', sleep(1)),
      'db.yaml': facilityText('db'),
    })
    const before = source.read()
    expect(before).toMatchObject({ complete: true, diagnostics: [] })

    writeFiles(directory, { 'web.yaml': broken, 'new.yaml': facilityText('new') })
    const after = source.read()
    expect(after.complete).toBe(false)
    expect(after.diagnostics.map(({ file }) => file)).toContain(join(directory, 'web.yaml'))
    expect(names(after)).toEqual(['db', 'new', 'web'])
    expect(find(after, 'web')).toEqual(find(before, 'web'))
  })

  test('a fixed file is accepted at once', () => {
    const { directory, source } = makeSource({ 'web.yaml': facilityText('web', sleep(1)) })
    source.read()
    writeFiles(directory, { 'web.yaml': '[' })
    source.read()
    writeFiles(directory, { 'web.yaml': facilityText('web', sleep(2)) })
    const set = source.read()
    expect(set).toMatchObject({ complete: true, diagnostics: [] })
    expect(find(set, 'web').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a change of another file is accepted', () => {
    const { directory, source } = makeSource({
      'web.yaml': facilityText('web'),
      'db.yaml': facilityText('db', sleep(1)),
    })
    source.read()
    writeFiles(directory, { 'web.yaml': '[', 'db.yaml': facilityText('db', sleep(2)) })
    expect(find(source.read(), 'db').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a file that was never valid has no facilities', () => {
    const { source } = makeSource({ 'web.yaml': '[', 'db.yaml': facilityText('db') })
    expect(names(source.read())).toEqual(['db'])
  })

  test('a supervisor whose file is invalid keeps its last good options', () => {
    const { directory, source } = makeSource({
      'app.yaml': supervisorText('app', 'type: runit, runit: { a: 1 }'),
      'web.yaml': facilityText('web', `supervisor: app, ${sleep(1)}`),
    })
    source.read()
    writeFiles(directory, { 'app.yaml': supervisorText('app', 'type: runitt') })
    const set = source.read()
    expect(set.supervisors).toEqual([{ name: 'app', type: 'runit', options: { a: 1 } }])
    expect(names(set)).toEqual(['web'])
    expect(set.diagnostics).toHaveLength(1)
  })

  test('a valid declaration wins over a last good one', () => {
    const { directory, source } = makeSource({ 'a.yaml': facilityText('web', sleep(1)) })
    source.read()
    writeFiles(directory, { 'a.yaml': '[', 'b.yaml': facilityText('web', sleep(2)) })
    const set = source.read()
    expect(names(set)).toEqual(['web'])
    expect(find(set, 'web').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a file that claims what an invalid file still declares is accepted after that one is fixed', () => {
    const both = [facilityText('web', sleep(1)), facilityText('other')].join('---\n')
    const { directory, source } = makeSource({ 'a.yaml': both, 'b.yaml': facilityText('db') })
    source.read()
    const broken = [facilityText('web', sleep(1)), facilityText('other', 'state: of')].join('---\n')
    writeFiles(directory, { 'a.yaml': broken, 'b.yaml': facilityText('web', sleep(2)) })
    const after = source.read()
    expect(after.diagnostics.map(({ code }) => code)).toEqual([
      'duplicate-facility',
      'invalid-value',
      'duplicate-facility',
    ])
    expect(names(after)).toEqual(['db', 'other', 'web'])
    expect(find(after, 'web').process?.command).toEqual(['/bin/sleep', '1'])
  })

  test('last good facilities never form a dependency cycle', () => {
    const { directory, source } = makeSource({
      'a.yaml': facilityText('a', 'dependsOn: [b]'),
      'b.yaml': facilityText('b'),
    })
    source.read()
    const other = { 'a.yaml': '[', 'c.yaml': facilityText('a'), 'b.yaml': facilityText('b', 'dependsOn: [a]') }
    writeFiles(directory, other)
    expect(names(source.read())).toEqual(['a', 'b'])
    rmSync(join(directory, 'c.yaml'))
    writeFiles(directory, { 'b.yaml': '[' })
    expect(source.read()).toMatchObject({ complete: false, facilities: [] })
  })

  test('a change that closes a cycle is not accepted', () => {
    const { directory, source } = makeSource({
      'a.yaml': facilityText('a'),
      'b.yaml': facilityText('b', 'dependsOn: [a]'),
    })
    source.read()
    writeFiles(directory, { 'a.yaml': facilityText('a', 'dependsOn: [b]') })
    const set = source.read()
    expect(set.diagnostics.map(({ code }) => code)).toEqual(['dependency-cycle'])
    expect(set.facilities.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ['a', []],
      ['b', ['a']],
    ])
  })

  test('loadManifests returns only the facilities of valid files', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', 'state: of'), 'db.yaml': facilityText('db') })
    const set = loadManifests({ directory, types })
    expect(names(set)).toEqual(['db'])
    expect(set.complete).toBe(false)
  })

  test('a dependent of an invalid facility is reported and left out', () => {
    const directory = makeDirectory({
      'db.yaml': facilityText('db', 'state: of'),
      'web.yaml': facilityText('web', 'dependsOn: [db]'),
      'front.yaml': facilityText('front', 'dependsOn: [web]'),
    })
    const set = loadManifests({ directory, types })
    expect(names(set)).toEqual([])
    expect(set.diagnostics.map(({ message }) => message)).toEqual([
      expect.stringContaining('spec.state'),
      'front depends on the facility "web", whose manifest is invalid',
      'web depends on the facility "db", whose manifest is invalid',
    ])
  })
})

test('a facility naming an invalid supervisor is not told that the supervisor is undeclared', () => {
  const supervisor =
    'apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: mine }\nspec: { type: process, options: {} }\n'
  const directory = makeDirectory({
    'a-web.yaml': facilityText('web', 'supervisor: mine'),
    'supervisor.yaml': supervisor,
  })
  expect(loadManifests({ directory, types }).diagnostics.map(({ code, message }) => [code, message])).toEqual([
    ['unknown-supervisor', 'there is no supervisor "mine" as long as its manifest is invalid'],
    ['unknown-field', expect.stringContaining('"options"')],
  ])
})

describe('E9: an absent manifest has a meaning only in a complete, readable, valid set:', () => {
  test('a deleted file removes its facilities, and the set is complete', () => {
    const { directory, source } = makeSource({ 'web.yaml': facilityText('web'), 'db.yaml': facilityText('db') })
    source.read()
    rmSync(join(directory, 'web.yaml'))
    expect(source.read()).toMatchObject({ complete: true, facilities: [{ name: 'db' }] })
  })

  test('an empty directory is a complete set of none', () => {
    const { source } = makeSource({})
    expect(source.read()).toMatchObject({ complete: true, facilities: [], diagnostics: [] })
  })

  test('a directory that keeps changing is incomplete, and keeps its last facilities', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web'), 'db.yaml': facilityText('db') })
    let isRestless = false
    let now = 0
    const files: ManifestFiles = {
      ...localFiles,
      facts: path => ({ ...localFiles.facts(path), ...(isRestless && { signature: String(now++) }) }),
    }
    const source = createManifestSource({ directory, types, files })
    source.read()
    isRestless = true
    rmSync(join(directory, 'web.yaml'))
    const set = source.read()
    expect(set.complete).toBe(false)
    expect(set.diagnostics).toMatchObject([{ code: 'directory-changing', file: directory, line: 0 }])
    expect(names(set)).toEqual(['db', 'web'])
    isRestless = false
    expect(source.read()).toMatchObject({ complete: true, facilities: [{ name: 'db' }], diagnostics: [] })
  })

  test('a directory that changes once while being read is read again', () => {
    const directory = makeDirectory({ 'a.yaml': facilityText('a', sleep(1)), 'b.yaml': facilityText('b', sleep(1)) })
    let isPending = true
    const files: ManifestFiles = {
      ...localFiles,
      readFile(path, limit) {
        if (path.endsWith('b.yaml') && isPending) {
          isPending = false
          writeFiles(directory, { 'a.yaml': facilityText('a', sleep(22)), 'b.yaml': facilityText('b', sleep(22)) })
        }
        return localFiles.readFile(path, limit)
      },
    }
    const set = createManifestSource({ directory, types, files }).read()
    expect(set.complete).toBe(true)
    expect(set.facilities.map(({ process }) => process?.command[1])).toEqual(['22', '22'])
  })

  test('a link swapped while its target is read gives the new target', () => {
    const base = makeDirectory({ 'one/a.yaml': facilityText('a', sleep(1)), 'two/a.yaml': facilityText('a', sleep(2)) })
    const directory = join(base, 'current')
    symlinkSync('one', directory)
    let isPending = true
    const files: ManifestFiles = {
      ...localFiles,
      readFile(path, limit) {
        const reading = localFiles.readFile(path, limit)
        if (isPending) {
          isPending = false
          rmSync(directory)
          symlinkSync('two', directory)
        }
        return reading
      },
    }
    const set = createManifestSource({ directory, types, files }).read()
    expect(set).toMatchObject({ complete: true, revision: join(base, 'two') })
    expect(find(set, 'a').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('more facilities than the limit are an error of the file that exceeds it', () => {
    const context = { resolvePath: (path: string) => path, readSource: () => new Uint8Array() }
    const parse = (file: string, ...texts: string[]) => parseManifest(file, Buffer.from(texts.join('---\n')), context)
    const manifests = [parse('a.yaml', facilityText('a'), facilityText('b')), parse('b.yaml', facilityText('c'))]
    const resolver = createFacilityResolver({ directory: '/', types })
    const input = {
      manifests,
      fallbacks: [],
      invalidNames: new Set<string>(),
      invalidSupervisors: new Set<string>(),
      resolver,
    }
    expect(crossCheck({ ...input, maximumFacilities: 3 }).diagnostics.size).toBe(0)
    const outcome = crossCheck({ ...input, maximumFacilities: 2 })
    expect([...outcome.diagnostics.values()].flat()).toMatchObject([
      { code: 'too-many-facilities', file: 'b.yaml', line: 3 },
    ])
    expect([...outcome.contributions.keys()]).toEqual(['a.yaml'])
  })
})

describe('a source parses each content once:', () => {
  test('facilities of unchanged files are the same objects', () => {
    const { directory, source } = makeSource({ 'a.yaml': facilityText('a'), 'b.yaml': facilityText('b') })
    const before = source.read()
    writeFiles(directory, { 'b.yaml': facilityText('b', sleep(1)), 'a.yaml': facilityText('a') })
    const after = source.read()
    expect(find(after, 'a')).toBe(find(before, 'a'))
    expect(find(after, 'b')).not.toEqual(find(before, 'b'))
  })

  test('a facility follows its supervisor to another type', () => {
    const spec = 'supervisor: app, config: { runit: { r: 1 }, process: { p: 1 } }'
    const { directory, source } = makeSource({
      'app.yaml': supervisorText('app', 'type: runit'),
      'web.yaml': facilityText('web', spec),
    })
    expect(find(source.read(), 'web').config).toEqual({ r: 1 })
    writeFiles(directory, { 'app.yaml': supervisorText('app', 'type: process') })
    expect(find(source.read(), 'web').config).toEqual({ p: 1 })
  })

  test('a changed source file is noticed though its manifest is the same', () => {
    const { directory, source } = makeSource({
      'web.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./a.toml }]'),
      'a.toml': 'one',
    })
    source.read()
    writeFiles(directory, { 'a.toml': 'two' })
    expect(Buffer.from(find(source.read(), 'web').files[0]?.content ?? '').toString()).toBe('two')
    rmSync(join(directory, 'a.toml'))
    const set = source.read()
    expect(set.diagnostics).toMatchObject([{ code: 'source-unreadable', line: 4 }])
    expect(Buffer.from(find(set, 'web').files[0]?.content ?? '').toString()).toBe('two')
  })

  test('the schema of a type is loaded only when a document has that type', () => {
    const schemaOf = vi.fn(() => undefined)
    makeSource({ 'web.yaml': facilityText('web') }, { schemaOf }).source.read()
    expect(schemaOf).not.toHaveBeenCalled()
  })
})

describe('a document with mistakes of several kinds is reported in one run:', () => {
  const codesOf = (spec: string, options: Partial<ManifestOptions> = {}): string[] => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', spec) })
    const set = loadManifests({ directory, types, ...options })
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

test('a warning is reported and invalidates nothing', () => {
  const spec = 'process: { command: [/bin/true] }, config: { runnit: { a: 1 }, elsewhere: { a: 1 } }'
  const directory = makeDirectory({ 'web.yaml': facilityText('web', spec) })
  const set = loadManifests({ directory, types })
  expect(set).toMatchObject({
    complete: true,
    facilities: [{ name: 'web' }],
    diagnostics: [{ severity: 'warning', code: 'unknown-config-type', line: 4, column: 54 }],
  })
  expect(set.diagnostics[0]?.message).toContain('did you mean "runit"?')
})

test('two facilities cannot write one output, nor one the file of another as output', () => {
  const output = 'process: { command: [/bin/true], output: { file: /var/log/a } }'
  const directory = makeDirectory({
    'a.yaml': facilityText('a', output),
    'b.yaml': facilityText('b', output),
    'c.yaml': facilityText('c', 'files: [{ path: /var/log/a, content: x }]'),
  })
  const { diagnostics } = loadManifests({ directory, types })
  expect(new Set(diagnostics.map(({ code, file }) => `${code} ${file.slice(-6)}`))).toEqual(
    new Set(['duplicate-path a.yaml', 'duplicate-path b.yaml', 'duplicate-path c.yaml']),
  )
})

describe('an unreadable path:', () => {
  test('S6: a source larger than 1 MiB', () => {
    const directory = makeDirectory({
      'web.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./a.bin }]'),
      'a.bin': 'x'.repeat(1024 * 1024 + 1),
    })
    expect(loadManifests({ directory, types }).diagnostics).toMatchObject([
      { code: 'source-too-large', line: 4, column: 41 },
    ])
  })

  test('a file in place of a directory', () => {
    const directory = join(makeDirectory({ 'web.yaml': facilityText('web') }), 'web.yaml')
    expect(loadManifests({ directory, types })).toMatchObject({
      complete: false,
      diagnostics: [{ code: 'directory-unreadable', file: directory, line: 0, column: 0 }],
    })
  })

  test('a file that cannot be read keeps its facilities', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web'), 'sub/db.yaml': facilityText('db') })
    let failing = ''
    const fail = (path: string) => {
      if (path.endsWith(failing)) throw Object.assign(new Error('EACCES: no'), { code: 'EACCES' })
    }
    const files: ManifestFiles = {
      ...localFiles,
      readFile(path, limit) {
        if (failing !== '') fail(path)
        return localFiles.readFile(path, limit)
      },
      readDirectory(path) {
        if (failing !== '') fail(path)
        return localFiles.readDirectory(path)
      },
    }
    const source = createManifestSource({ directory, types, files })
    source.read()
    failing = 'web.yaml'
    expect(source.read()).toMatchObject({
      complete: false,
      diagnostics: [{ code: 'file-unreadable', message: 'cannot be read: permission denied' }],
      facilities: [{ name: 'db' }, { name: 'web' }],
    })
    failing = 'sub'
    expect(source.read()).toMatchObject({
      complete: false,
      diagnostics: [{ code: 'directory-unreadable', file: join(directory, 'sub') }],
      facilities: [{ name: 'db' }, { name: 'web' }],
    })
    failing = ''
    expect(source.read()).toMatchObject({ complete: true })
  })
})

function makeSource(files: Readonly<Record<string, string>>, options: Partial<ManifestOptions> = {}) {
  const directory = makeDirectory(files)
  return { directory, source: createManifestSource({ directory, types, ...options }) }
}

function names(set: ManifestSet): string[] {
  return set.facilities.map(({ name }) => name)
}

function find(set: ManifestSet, name: string) {
  const facility = set.facilities.find(each => each.name === name)
  if (facility === undefined) throw new Error(`no facility ${name} in ${names(set)}`)
  return facility
}

test("a file that is the rotated or kept name of another facility's output is claimed twice", () => {
  const output = (name: string, file: string, keep: number): string =>
    facilityText(name, `process: { command: [/bin/true], output: { file: ${file}, keep: ${keep} } }`)
  const file = (path: string): string =>
    facilityText('file', `process: { command: [/bin/true] }, files: [{ path: ${path}, content: mine }]`)
  const codesOf = (files: Record<string, string>) =>
    loadManifests({ directory: makeDirectory(files), types }).diagnostics.map(
      ({ code, message }) => `${code}: ${message}`,
    )
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
