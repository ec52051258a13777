import { readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGitLab, noSignal } from '../../labs/git-lab.ts'

describe('an entry is exported or refused:', () => {
  test.each([
    [
      'leads outside by its directory',
      'a/link.yaml',
      '../../etc/passwd',
      'leads out of the exported tree, to ../../etc/passwd',
    ],
    ['is absolute', 'link.yaml', '/etc/passwd', 'leads out of the exported tree, to /etc/passwd'],
    ['leads up after a name', 'link.yaml', 'a/../b', 'leads out of the exported tree, to a/../b'],
  ])('a symlink that %s', async (_title, path, target, message) => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open()
    await source.sync(noSignal)
    lab.link(path, target)
    lab.commit({ 'web.yaml': 'api' })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'TreeRefused',
      message: `the symlink ${path} ${message}`,
    })
    expect(lab.read('web.yaml')).toBe('web')
  })

  test('a symlink that stays inside is exported unchanged', async () => {
    using lab = createGitLab()
    lab.link('a/link.yaml', '../web.yaml')
    lab.commit({ 'web.yaml': 'web' })
    await lab.open().sync(noSignal)
    expect(readlinkSync(join(lab.sourceDirectory, 'current/a/link.yaml'))).toBe('../web.yaml')
    expect(lab.read('a/link.yaml')).toBe('web')
  })

  test('a submodule', async () => {
    using lab = createGitLab()
    const commit = lab.commit({ 'web.yaml': 'web' })
    lab.git('update-index', '--add', '--cacheinfo', `160000,${commit},other`)
    lab.git('commit', '--quiet', '--message', 'Add a submodule')
    lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
    const source = lab.open()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'TreeRefused',
      message: 'other is a submodule: put its manifests into this repository',
    })
  })

  test('attributes, filters and line ends change no file', async () => {
    using lab = createGitLab()
    const content = 'a: 1\r\n# $Id$\r\n# $Format:%H$\r\n'
    lab.commit({ '.gitattributes': '*.yaml text eol=lf ident export-subst\nsecret.yaml export-ignore\n' })
    lab.git('config', 'core.autocrlf', 'false')
    const blob = lab.git('rev-parse', 'HEAD:.gitattributes')
    writeFileSync(join(lab.directory, 'raw'), content)
    const raw = lab.git('hash-object', '-w', '--no-filters', join(lab.directory, 'raw'))
    for (const name of ['web.yaml', 'secret.yaml'])
      lab.git('update-index', '--add', '--cacheinfo', `100644,${raw},${name}`)
    lab.git('commit', '--quiet', '--message', 'Add raw files')
    lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
    expect(blob).not.toBe(raw)
    await lab.open().sync(noSignal)
    expect(lab.read('web.yaml')).toBe(content)
    expect(lab.read('secret.yaml')).toBe(content)
  })

  test('modes are those of Reeve’s own files', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web', 'tools/run': '#!/bin/sh\n' })
    lab.git('update-index', '--chmod=+x', 'tools/run')
    lab.git('commit', '--quiet', '--message', 'Make it a program')
    lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
    await lab.open().sync(noSignal)
    const mode = (path: string): string =>
      (statSync(join(lab.sourceDirectory, 'current', path)).mode & 0o7777).toString(8)
    expect([mode('.'), mode('web.yaml'), mode('tools'), mode('tools/run')]).toEqual(['700', '600', '700', '700'])
  })

  test('files that a commit leaves alone are those of the revision before, unless somebody has changed them', async () => {
    using lab = createGitLab()
    lab.commit({ 'a.yaml': 'a', 'deep/b.yaml': 'b', 'deep/c.yaml': 'c' })
    const source = lab.open()
    await source.sync(noSignal)
    const inode = (path: string): number => statSync(join(lab.sourceDirectory, 'current', path)).ino
    const before = ['a.yaml', 'deep/b.yaml', 'deep/c.yaml'].map(inode)
    writeFileSync(join(lab.sourceDirectory, 'current/deep/b.yaml'), 'x')
    lab.commit({ 'deep/c.yaml': 'C' })
    await source.sync(noSignal)
    expect(['a.yaml', 'deep/b.yaml', 'deep/c.yaml'].map(lab.read)).toEqual(['a', 'b', 'C'])
    expect(['a.yaml', 'deep/b.yaml', 'deep/c.yaml'].map(path => before.includes(inode(path)))).toEqual([
      true,
      false,
      false,
    ])
  })
})
