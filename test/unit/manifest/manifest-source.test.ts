import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { crossCheck } from '../../../src/manifest/check/cross-check.ts'
import { createFacilityResolver } from '../../../src/manifest/check/facility-resolver.ts'
import { createManifestSource, loadManifests } from '../../../src/manifest/manifest-source.ts'
import { parseManifest } from '../../../src/manifest/parse/manifest-file.ts'
import { localFiles, type ManifestFiles } from '../../../src/manifest/read/manifest-files.ts'
import {
  facilityIn,
  facilityText,
  loadFiles,
  makeDirectory,
  namesIn,
  openDirectory,
  supervisorText,
  writeFiles,
} from '../../tools/manifest-directory.ts'

const types = ['process', 'runit']
const sleep = (seconds: number) => `process: { command: [/bin/sleep, "${seconds}"] }`

describe('E9: an absent manifest has a meaning only in a complete, readable, valid set:', () => {
  test('a deleted file removes its facilities, and the set is complete', () => {
    const { directory, source } = openDirectory({ 'web.yaml': facilityText('web'), 'db.yaml': facilityText('db') })
    source.read()
    rmSync(join(directory, 'web.yaml'))
    expect(source.read()).toMatchObject({ complete: true, facilities: [{ name: 'db' }] })
  })

  test('an empty directory is a complete set of none', () => {
    const { source } = openDirectory({})
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
    expect(namesIn(set)).toEqual(['db', 'web'])
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
    expect(facilityIn(set, 'a').process?.command).toEqual(['/bin/sleep', '2'])
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
    const { directory, source } = openDirectory({ 'a.yaml': facilityText('a'), 'b.yaml': facilityText('b') })
    const before = source.read()
    writeFiles(directory, { 'b.yaml': facilityText('b', sleep(1)), 'a.yaml': facilityText('a') })
    const after = source.read()
    expect(facilityIn(after, 'a')).toBe(facilityIn(before, 'a'))
    expect(facilityIn(after, 'b')).not.toEqual(facilityIn(before, 'b'))
  })

  test('a facility follows its supervisor to another type', () => {
    const spec = 'supervisor: app, config: { runit: { r: 1 }, process: { p: 1 } }'
    const { directory, source } = openDirectory({
      'app.yaml': supervisorText('app', 'type: runit'),
      'web.yaml': facilityText('web', spec),
    })
    expect(facilityIn(source.read(), 'web').config).toEqual({ r: 1 })
    writeFiles(directory, { 'app.yaml': supervisorText('app', 'type: process') })
    expect(facilityIn(source.read(), 'web').config).toEqual({ p: 1 })
  })

  test('a changed source file is noticed though its manifest is the same', () => {
    const { directory, source } = openDirectory({
      'web.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./a.toml }]'),
      'a.toml': 'one',
    })
    source.read()
    writeFiles(directory, { 'a.toml': 'two' })
    expect(Buffer.from(facilityIn(source.read(), 'web').files[0]?.content ?? '').toString()).toBe('two')
    rmSync(join(directory, 'a.toml'))
    const set = source.read()
    expect(set.diagnostics).toMatchObject([{ code: 'source-unreadable', line: 4 }])
    expect(Buffer.from(facilityIn(set, 'web').files[0]?.content ?? '').toString()).toBe('two')
  })

  test('the schema of a type is loaded only when a document has that type', () => {
    const schemaOf = vi.fn(() => undefined)
    openDirectory({ 'web.yaml': facilityText('web') }, { schemaOf }).source.read()
    expect(schemaOf).not.toHaveBeenCalled()
  })
})

describe('an unreadable path:', () => {
  test('S6: a source larger than 1 MiB', () => {
    const { diagnostics } = loadFiles({
      'web.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./a.bin }]'),
      'a.bin': 'x'.repeat(1024 * 1024 + 1),
    })
    expect(diagnostics).toMatchObject([{ code: 'source-too-large', line: 4, column: 41 }])
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
