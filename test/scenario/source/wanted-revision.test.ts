import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGitLab, noSignal } from '../../labs/git-lab.ts'

describe('the wanted revision', () => {
  test('follows the default branch when it is renamed', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open({ wish: { kind: 'default-branch' } })
    await source.sync(noSignal)
    expect(source.status().revision?.reference).toBe('refs/heads/main')
    lab.upstreamGit('branch', '--move', 'main', 'trunk')
    lab.upstreamGit('symbolic-ref', 'HEAD', 'refs/heads/trunk')
    lab.commit({ 'web.yaml': 'api' }, { branch: 'trunk' })
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status().revision?.reference).toBe('refs/heads/trunk')
  })

  test('is the newest tag in a range, with or without v', async () => {
    using lab = createGitLab()
    for (const tag of ['v1.2.0', '1.10.0', 'v1.9.9', 'v2.0.0', 'v1.11.0-rc.1', 'nightly']) {
      lab.commit({ 'web.yaml': `web-${tag}` })
      lab.git('tag', '--annotate', '--message', tag, tag)
      lab.git('push', '--quiet', 'origin', tag)
    }
    const source = lab.open({ wish: { kind: 'semver', range: '^1.2' } })
    await source.sync(noSignal)
    expect(source.status().revision?.reference).toBe('refs/tags/1.10.0')
    lab.commit({ 'web.yaml': 'newest' })
    lab.git('tag', 'v1.12.0')
    lab.git('push', '--quiet', 'origin', 'v1.12.0')
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('newest')
  })

  test('is not a moved tag until a person accepts its commit', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': 'web' })
    lab.git('tag', 'live')
    lab.git('push', '--quiet', 'origin', 'live')
    const source = lab.open({ wish: { kind: 'tag', name: 'live' } })
    await source.sync(noSignal)
    const second = lab.commit({ 'web.yaml': 'api' })
    lab.git('tag', '--force', 'live')
    lab.git('push', '--quiet', '--force', 'origin', 'live')
    await source.sync(noSignal)
    expect(source.status()).toMatchObject({ revision: { commit: first }, condition: { reason: 'NotFastForward' } })
    source.accept(second)
    expect(await source.sync(noSignal)).toBe(true)
  })

  test('of a missing branch is reported, and followed when it is back', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open()
    await source.sync(noSignal)
    lab.upstreamGit('update-ref', '-d', 'refs/heads/main')
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'ReferenceNotFound',
      message: `${lab.upstream} has no branch main`,
    })
    expect(lab.read('web.yaml')).toBe('web')
    lab.commit({ 'web.yaml': 'api' })
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
  })
})

describe('a rewritten history', () => {
  test('is refused until a person accepts its commit, and the current revision stays in force', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const second = lab.commit({ 'web.yaml': 'api' })
    const source = lab.open()
    await source.sync(noSignal)
    lab.git('reset', '--quiet', '--hard', 'HEAD~1')
    const other = lab.commit({ 'web.yaml': 'other' }, { isForced: true })
    await source.sync(noSignal)
    expect(source.status()).toMatchObject({
      revision: { commit: second },
      condition: {
        reason: 'NotFastForward',
        message: `branch main leads to ${other.slice(0, 12)}, which does not descend from ${second.slice(0, 12)}, the newest accepted revision; if that is meant, run reeve accept ${other.slice(0, 12)}`,
      },
    })
    expect(lab.read('web.yaml')).toBe('api')
    source.accept(other)
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('other')
  })

  test('is refused even if the branch was only reset to an ancestor', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': 'web' })
    lab.commit({ 'web.yaml': 'api' })
    const source = lab.open()
    await source.sync(noSignal)
    lab.upstreamGit('update-ref', 'refs/heads/main', first)
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'NotFastForward' })
  })

  test('is distinguished from a later commit, even if the local copy was lost', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open()
    await source.sync(noSignal)
    lab.commit({ 'web.yaml': 'api' })
    lab.commit({ 'web.yaml': 'last' })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const anew = lab.open()
    expect(await anew.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('last')
    lab.git('reset', '--quiet', '--hard', 'HEAD~2')
    lab.commit({ 'web.yaml': 'other' }, { isForced: true })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const again = lab.open()
    await again.sync(noSignal)
    expect(again.status().condition).toMatchObject({ reason: 'NotFastForward' })
  })
})
