import { chmodSync, chownSync, lchownSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createManifestSource, loadManifests } from '../../../src/manifest/manifest-source.ts'
import { facilityText, makeDirectory } from '../../tools/manifest-directory.ts'

const isRoot = process.geteuid?.() === 0
const root = { types: ['process'], runsAsRoot: true }

describe.runIf(isRoot)('S1: root refuses manifests and sources that others can write:', () => {
  test('files that only root can write are read', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web'), 'sub/db.yaml': facilityText('db') })
    expect(loadManifests({ directory, ...root })).toMatchObject({ complete: true, diagnostics: [] })
  })

  test.each<[string, string, (path: string) => void]>([
    ['a group-writable file', 'web.yaml', path => chmodSync(path, 0o664)],
    ['a file of another user', 'web.yaml', path => chownSync(path, 12345, 0)],
    ['a world-writable directory', 'sub', path => chmodSync(path, 0o777)],
    ['a sticky directory, which others can add to', 'sub', path => chmodSync(path, 0o1777)],
    ['a directory of another user', 'sub', path => chownSync(path, 12345, 0)],
    ['a world-writable source', 'sub/app.toml', path => chmodSync(path, 0o666)],
    ['the directory itself', '.', path => chmodSync(path, 0o777)],
    ['a parent directory', '..', path => chmodSync(path, 0o777)],
  ])('%s', (_, name, spoil) => {
    const directory = join(
      makeDirectory({
        'manifests/web.yaml': facilityText('web'),
        'manifests/sub/db.yaml': facilityText('db', 'files: [{ path: /etc/a, source: ./app.toml }]'),
        'manifests/sub/api.yaml': facilityText('api'),
        'manifests/sub/app.toml': 'a',
      }),
      'manifests',
    )
    const source = createManifestSource({ directory, ...root })
    const before = source.read()
    expect(before).toMatchObject({ complete: true })

    spoil(join(directory, name))
    const after = source.read()
    // One diagnostic per mistake, however many files it concerns; and nothing is removed because of it (E10).
    expect(after.diagnostics).toMatchObject([{ code: 'insecure-path' }])
    expect(after.diagnostics[0]?.message).toMatch(/(chmod|chown) .*; --insecure-permissions/)
    expect(after.complete).toBe(false)
    expect(after.facilities).toEqual(before.facilities)
    // A file that was never trusted is not in the set.
    const names = loadManifests({ directory, ...root }).facilities.map(facility => facility.name)
    expect(names.length).toBeLessThan(3)
    expect(names).not.toContain(name === 'web.yaml' ? 'web' : 'db')

    expect(loadManifests({ directory, ...root, insecurePermissions: true })).toMatchObject({ complete: true })
    expect(loadManifests({ directory, ...root, runsAsRoot: false })).toMatchObject({ complete: true })
  })

  test('the link by which a directory is named belongs to the path', () => {
    const base = makeDirectory({ 'v1/web.yaml': facilityText('web') })
    const directory = join(base, 'current')
    symlinkSync('v1', directory)
    expect(loadManifests({ directory, ...root })).toMatchObject({ complete: true })
    lchownSync(directory, 12345, 0)
    expect(loadManifests({ directory, ...root }).diagnostics).toMatchObject([
      {
        code: 'insecure-path',
        file: directory,
        message: expect.stringContaining(`${directory} belongs to user 12345`),
      },
    ])
  })
})
