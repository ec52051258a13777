import { describe, expect, test } from 'vitest'
import { findInsecurePath, type PathLookup } from '../../../../src/core/paths/path-permissions.ts'

type Entry =
  | readonly [kind: 'directory' | 'file', mode: number, uid: number]
  | readonly [kind: 'symlink', target: string, uid: number]

const base: Readonly<Record<string, Entry>> = {
  '/': ['directory', 0o755, 0],
  '/etc': ['directory', 0o755, 0],
  '/etc/reeve': ['directory', 0o755, 0],
  '/etc/reeve/a.yaml': ['file', 0o644, 0],
  '/tmp': ['directory', 0o1777, 0],
}

describe('S1: a component of a path that others can write is found:', () => {
  test.each<[string, string, Readonly<Record<string, Entry>>, string | undefined]>([
    ['nothing', '/etc/reeve/a.yaml', {}, undefined],
    [
      'a file owned by somebody else',
      '/etc/reeve/a.yaml',
      { '/etc/reeve/a.yaml': ['file', 0o600, 1000] },
      '/etc/reeve/a.yaml',
    ],
    ['a group-writable file', '/etc/reeve/a.yaml', { '/etc/reeve/a.yaml': ['file', 0o664, 0] }, '/etc/reeve/a.yaml'],
    ['a world-writable file', '/etc/reeve/a.yaml', { '/etc/reeve/a.yaml': ['file', 0o646, 0] }, '/etc/reeve/a.yaml'],
    ['a parent directory', '/etc/reeve/a.yaml', { '/etc': ['directory', 0o777, 0] }, '/etc'],
    [
      'a parent directory owned by somebody else',
      '/etc/reeve/a.yaml',
      { '/etc/reeve': ['directory', 0o755, 33] },
      '/etc/reeve',
    ],
    ['the root directory', '/etc/reeve/a.yaml', { '/': ['directory', 0o777, 0] }, '/'],
    ['none in a sticky directory', '/tmp/a', { '/tmp/a': ['file', 0o600, 0] }, undefined],
    ['a file of somebody else in a sticky directory', '/tmp/a', { '/tmp/a': ['file', 0o600, 1000] }, '/tmp/a'],
    ['the sticky directory itself, which anybody can add to', '/tmp', {}, '/tmp'],
    [
      'a file with the sticky bit, which has no meaning',
      '/etc/reeve/a.yaml',
      { '/etc/reeve/a.yaml': ['file', 0o1666, 0] },
      '/etc/reeve/a.yaml',
    ],
    ['a link owned by somebody else', '/tmp/l', { '/tmp/l': ['symlink', '/etc/reeve/a.yaml', 1000] }, '/tmp/l'],
    ['the target of a link', '/etc/l', { '/etc/l': ['symlink', '/tmp/a', 0], '/tmp/a': ['file', 0o666, 0] }, '/tmp/a'],
    [
      'the target of a relative link',
      '/etc/l/a.yaml',
      { '/etc/l': ['symlink', '../etc/./reeve', 0], '/etc/reeve/a.yaml': ['file', 0o666, 0] },
      '/etc/reeve/a.yaml',
    ],
    [
      'a directory between a link and its target',
      '/etc/l',
      { '/etc/l': ['symlink', '/srv/a', 0], '/srv': ['directory', 0o777, 0], '/srv/a': ['file', 0o600, 0] },
      '/srv',
    ],
    [
      'a link in a world-writable directory',
      '/srv/l',
      { '/srv': ['directory', 0o777, 0], '/srv/l': ['symlink', '/etc/reeve', 0] },
      '/srv',
    ],
    ['none behind .. that leads elsewhere', '/etc/../etc/reeve/a.yaml', {}, undefined],
    ['none for a missing path', '/etc/missing/a.yaml', {}, undefined],
    ['none at the end of a circle of links', '/etc/l', { '/etc/l': ['symlink', 'l', 0] }, undefined],
  ])('%s', (_, path, entries, expected) => {
    expect(findInsecurePath(path, lookupOf({ ...base, ...entries }), 0)?.component).toBe(expected)
  })

  test('for another user, what that user owns is as safe as what root owns', () => {
    const entries: Readonly<Record<string, Entry>> = { ...base, '/etc/reeve/a.yaml': ['file', 0o600, 1000] }
    expect(findInsecurePath('/etc/reeve/a.yaml', lookupOf(entries), 1000)).toBeUndefined()
    expect(findInsecurePath('/etc/reeve/a.yaml', lookupOf(entries), 1001)?.component).toBe('/etc/reeve/a.yaml')
  })

  test('the message names the owner and both ways out', () => {
    const owned = findInsecurePath('/etc/reeve', lookupOf({ ...base, '/etc/reeve': ['directory', 0o755, 33] }), 0)
    expect(owned?.message).toMatchInlineSnapshot(
      `"/etc/reeve belongs to user 33 (mode 0755), who could change what is run as root: chown 0 /etc/reeve; --insecure-permissions trusts it all the same"`,
    )
    const writable = findInsecurePath('/etc/reeve', lookupOf({ ...base, '/etc/reeve': ['directory', 0o775, 0] }), 0)
    expect(writable?.message).toMatchInlineSnapshot(
      `"/etc/reeve can be written by its group (owner 0, mode 0775): chmod go-w /etc/reeve; --insecure-permissions trusts it all the same"`,
    )
  })

  test('each directory is checked once for many files', () => {
    const entries: Record<string, Entry> = { ...base }
    for (let index = 0; index < 100; index++) entries[`/etc/reeve/${index}.yaml`] = ['file', 0o644, 0]
    const lookup = lookupOf(entries)
    const looked: string[] = []
    const counting: PathLookup = {
      ...lookup,
      facts(path) {
        looked.push(path)
        return lookup.facts(path)
      },
    }
    const checked = new Map()
    for (let index = 0; index < 100; index++) findInsecurePath(`/etc/reeve/${index}.yaml`, counting, 0, checked)
    expect(looked).toHaveLength(103)
  })
})

function lookupOf(entries: Readonly<Record<string, Entry>>): PathLookup {
  return {
    facts(path) {
      const entry = entries[path]
      if (entry === undefined) return undefined
      return { kind: entry[0], mode: entry[0] === 'symlink' ? 0o777 : entry[1], uid: entry[2] }
    },
    readLink(path) {
      const entry = entries[path]
      return entry?.[0] === 'symlink' ? entry[1] : undefined
    },
  }
}
