import { expect, test } from 'vitest'
import type { FileFacts } from '../../../../src/core/contracts/host.ts'
import { resolveSymlinks } from '../../../../src/engine/refresh/symlink-resolution.ts'

/** Directories by path, and links with their targets. */
function hostOf(directories: readonly string[], links: Readonly<Record<string, string>>) {
  const base = { mode: 0o755, uid: 0, gid: 0, size: 0, device: 1, inode: 1, modified: 0, changed: 0 }
  return {
    facts(path: string): FileFacts | undefined {
      if (path in links) return { ...base, kind: 'symlink' }
      return directories.includes(path) ? { ...base, kind: 'directory' } : undefined
    },
    readLink: (path: string) => links[path],
  }
}

test('a plain path resolves at its last component only', () => {
  const host = hostOf(['/srv', '/srv/manifests'], {})
  expect(resolveSymlinks('/srv/manifests', host)).toEqual({
    target: '/srv/manifests',
    turns: [{ directory: '/srv', name: 'manifests' }],
  })
})

test('PITFALLS 4: a path resolves at every link on the way, and on the way of their targets', () => {
  const host = hostOf(['/srv', '/git', '/git/a', '/git/a/deploy'], { '/srv/current': '../git/head', '/git/head': 'a' })
  expect(resolveSymlinks('/srv/current/deploy', host)).toEqual({
    target: '/git/a/deploy',
    turns: [
      { directory: '/srv', name: 'current' },
      { directory: '/git', name: 'head' },
      { directory: '/git/a', name: 'deploy' },
    ],
  })
})

test('a missing component ends the resolution', () => {
  const host = hostOf(['/srv'], { '/srv/dead': '/nowhere/at/all' })
  expect(resolveSymlinks('/srv/sub/manifests', host)).toEqual({
    target: undefined,
    turns: [{ directory: '/srv', name: 'sub' }],
  })
  expect(resolveSymlinks('/srv/dead', host)).toEqual({
    target: undefined,
    turns: [
      { directory: '/srv', name: 'dead' },
      { directory: '/', name: 'nowhere' },
    ],
  })
})

test('a circle of links has no target', () => {
  const host = hostOf(['/srv'], { '/srv/a': 'b', '/srv/b': 'a' })
  expect(resolveSymlinks('/srv/a', host).target).toBeUndefined()
})
