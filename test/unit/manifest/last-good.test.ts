import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  facilityIn,
  facilityText,
  loadFiles,
  namesIn,
  openDirectory,
  supervisorText,
  writeFiles,
} from '../../tools/manifest-directory.ts'

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
    const { directory, source } = openDirectory({
      'web.yaml': facilityText('web', sleep(1)),
      'db.yaml': facilityText('db'),
    })
    const before = source.read()
    expect(before).toMatchObject({ complete: true, diagnostics: [] })

    writeFiles(directory, { 'web.yaml': broken, 'new.yaml': facilityText('new') })
    const after = source.read()
    expect(after.complete).toBe(false)
    expect(after.diagnostics.map(({ file }) => file)).toContain(join(directory, 'web.yaml'))
    expect(namesIn(after)).toEqual(['db', 'new', 'web'])
    expect(facilityIn(after, 'web')).toEqual(facilityIn(before, 'web'))
  })

  test('a fixed file is accepted at once', () => {
    const { directory, source } = openDirectory({ 'web.yaml': facilityText('web', sleep(1)) })
    source.read()
    writeFiles(directory, { 'web.yaml': '[' })
    source.read()
    writeFiles(directory, { 'web.yaml': facilityText('web', sleep(2)) })
    const set = source.read()
    expect(set).toMatchObject({ complete: true, diagnostics: [] })
    expect(facilityIn(set, 'web').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a change of another file is accepted', () => {
    const { directory, source } = openDirectory({
      'web.yaml': facilityText('web'),
      'db.yaml': facilityText('db', sleep(1)),
    })
    source.read()
    writeFiles(directory, { 'web.yaml': '[', 'db.yaml': facilityText('db', sleep(2)) })
    expect(facilityIn(source.read(), 'db').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a file that was never valid has no facilities', () => {
    const { source } = openDirectory({ 'web.yaml': '[', 'db.yaml': facilityText('db') })
    expect(namesIn(source.read())).toEqual(['db'])
  })

  test('a supervisor whose file is invalid keeps its last good options', () => {
    const { directory, source } = openDirectory({
      'app.yaml': supervisorText('app', 'type: runit, runit: { a: 1 }'),
      'web.yaml': facilityText('web', `supervisor: app, ${sleep(1)}`),
    })
    source.read()
    writeFiles(directory, { 'app.yaml': supervisorText('app', 'type: runitt') })
    const set = source.read()
    expect(set.supervisors).toEqual([{ name: 'app', type: 'runit', options: { a: 1 } }])
    expect(namesIn(set)).toEqual(['web'])
    expect(set.diagnostics).toHaveLength(1)
  })

  test('a valid declaration wins over a last good one', () => {
    const { directory, source } = openDirectory({ 'a.yaml': facilityText('web', sleep(1)) })
    source.read()
    writeFiles(directory, { 'a.yaml': '[', 'b.yaml': facilityText('web', sleep(2)) })
    const set = source.read()
    expect(namesIn(set)).toEqual(['web'])
    expect(facilityIn(set, 'web').process?.command).toEqual(['/bin/sleep', '2'])
  })

  test('a file that claims what an invalid file still declares is accepted after that one is fixed', () => {
    const both = [facilityText('web', sleep(1)), facilityText('other')].join('---\n')
    const { directory, source } = openDirectory({ 'a.yaml': both, 'b.yaml': facilityText('db') })
    source.read()
    const broken = [facilityText('web', sleep(1)), facilityText('other', 'state: of')].join('---\n')
    writeFiles(directory, { 'a.yaml': broken, 'b.yaml': facilityText('web', sleep(2)) })
    const after = source.read()
    expect(after.diagnostics.map(({ code }) => code)).toEqual([
      'duplicate-facility',
      'invalid-value',
      'duplicate-facility',
    ])
    expect(namesIn(after)).toEqual(['db', 'other', 'web'])
    expect(facilityIn(after, 'web').process?.command).toEqual(['/bin/sleep', '1'])
  })

  test('last good facilities never form a dependency cycle', () => {
    const { directory, source } = openDirectory({
      'a.yaml': facilityText('a', 'dependsOn: [b]'),
      'b.yaml': facilityText('b'),
    })
    source.read()
    const other = { 'a.yaml': '[', 'c.yaml': facilityText('a'), 'b.yaml': facilityText('b', 'dependsOn: [a]') }
    writeFiles(directory, other)
    expect(namesIn(source.read())).toEqual(['a', 'b'])
    rmSync(join(directory, 'c.yaml'))
    writeFiles(directory, { 'b.yaml': '[' })
    expect(source.read()).toMatchObject({ complete: false, facilities: [] })
  })

  test('a change that closes a cycle is not accepted', () => {
    const { directory, source } = openDirectory({
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
    const set = loadFiles({ 'web.yaml': facilityText('web', 'state: of'), 'db.yaml': facilityText('db') })
    expect(namesIn(set)).toEqual(['db'])
    expect(set.complete).toBe(false)
  })

  test('a dependent of an invalid facility is reported and left out', () => {
    const set = loadFiles({
      'db.yaml': facilityText('db', 'state: of'),
      'web.yaml': facilityText('web', 'dependsOn: [db]'),
      'front.yaml': facilityText('front', 'dependsOn: [web]'),
    })
    expect(namesIn(set)).toEqual([])
    expect(set.diagnostics.map(({ message }) => message)).toEqual([
      expect.stringContaining('spec.state'),
      'front depends on the facility "web", whose manifest is invalid',
      'web depends on the facility "db", whose manifest is invalid',
    ])
  })
})
