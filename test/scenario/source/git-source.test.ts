import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGitLab, noSignal, serveNothing } from '../../labs/git-lab.ts'

describe('a Git source', () => {
  test('applies the newest commit of a branch', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': 'web' }, { message: 'Add web\n\nBecause it is wanted.' })
    const source = lab.open()
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('web')
    expect(source.status()).toMatchObject({
      url: lab.upstream,
      wanted: 'branch main',
      revision: {
        commit: first,
        reference: 'refs/heads/main',
        subject: 'Add web',
        author: 'Ada Author <ada@example.org>',
      },
      condition: { reason: 'UpToDate' },
    })
    expect(readlinkSync(join(lab.sourceDirectory, 'current'))).toBe(`revisions/${first}`)

    const second = lab.commit({ 'web.yaml': undefined, 'api/api.yaml': 'api' })
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBeUndefined()
    expect(lab.read('api/api.yaml')).toBe('api')
    expect(source.status().revision?.commit).toBe(second)
  })

  test('does nothing if the repository has nothing new', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const runs: string[] = []
    const source = lab.open({
      onEffect: ({ kind, target }, phase) => void (phase === 'before' && runs.push(`${kind} ${target}`)),
    })
    await source.sync(noSignal)
    runs.length = 0
    expect(await source.sync(noSignal)).toBe(false)
    expect(runs).toEqual([expect.stringMatching(/^run .* ls-remote /)])
  })

  test('runs git five times for a commit with small files, and fetches large ones besides', async () => {
    using lab = createGitLab()
    lab.commit({ 'hosts/web.yaml': 'web', 'hosts/deep/er/api.yaml': 'api' })
    const runs: string[] = []
    const source = lab.open({
      path: 'hosts',
      onEffect({ kind, target }, phase) {
        if (phase === 'before' && kind === 'run')
          runs.push(/[ '](ls-remote|fetch|cat-file|merge-base|rev-list)[ ']/.exec(target)?.[1] ?? '')
      },
    })
    await source.sync(noSignal)
    runs.length = 0
    lab.commit({ 'hosts/web.yaml': 'web 2' })
    await source.sync(noSignal)
    expect(runs.sort()).toEqual(['cat-file', 'fetch', 'ls-remote', 'merge-base', 'rev-list'])
    lab.commit({ 'hosts/large': 'x'.repeat(100_000) })
    await source.sync(noSignal)
    expect([lab.read('web.yaml'), lab.read('large')?.length]).toEqual(['web 2', 100_000])
  })

  test('exports only the named directory, and fetches no other files', async () => {
    using lab = createGitLab()
    lab.upstreamGit('config', 'uploadpack.allowAnySHA1InWant', 'true')
    lab.commit({ 'hosts/web/web.yaml': 'web', 'big/blob': 'x'.repeat(300_000) + Math.random() })
    const source = lab.open({ path: 'hosts/web' })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('web.yaml')).toBe('web')
    expect(existsSync(join(lab.sourceDirectory, 'current/hosts'))).toBe(false)
    const repository = join(lab.sourceDirectory, 'git/repository.git')
    const big = lab.git('rev-parse', 'HEAD:big/blob')
    expect(() => lab.git('--git-dir', repository, 'cat-file', '-e', big)).toThrow()
  })

  test('names the directory that the commit lacks', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open({ path: 'hosts/web' })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'ReferenceNotFound',
      message: expect.stringMatching(/^commit [0-9a-f]{12} has no directory hosts\/web; correct `path`$/),
    })
  })

  test('reads a repository of SHA-256', async () => {
    using lab = createGitLab({ format: 'sha256' })
    const commit = lab.commit({ 'web.yaml': 'web' })
    const source = lab.open()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(source.status().revision?.commit).toBe(commit)
    lab.commit({ 'web.yaml': 'api' })
    expect(await source.sync(noSignal)).toBe(true)
  })

  test('keeps the five revisions before the current one', async () => {
    using lab = createGitLab()
    const source = lab.open()
    const commits: string[] = []
    for (let round = 0; round < 8; round += 1) {
      commits.push(lab.commit({ 'web.yaml': `web${round}` }))
      await source.sync(noSignal)
    }
    expect(readdirSync(join(lab.sourceDirectory, 'revisions')).sort()).toEqual(commits.slice(-6).sort())
  })
})

describe('limits', () => {
  test('refuse a pack that is too large', async () => {
    using lab = createGitLab()
    const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('')
    lab.commit({ 'web.yaml': 'web', 'noise.bin': noise })
    const source = lab.open({ limits: { pack: 64 * 1024 } })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'TooLarge' })
  })

  test('abort a server that never answers', async () => {
    using lab = createGitLab()
    await using server = await serveNothing()
    const source = lab.open({ url: server.url, limits: { command: 500 } })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'TimedOut', message: 'git did not end within 0.5 s' })
  })

  test('abort git with all its children', async () => {
    using lab = createGitLab()
    const abort = new AbortController()
    await using server = await serveNothing(() => abort.abort(new Error('ending')))
    const source = lab.open({ url: server.url })
    await expect(source.sync(abort.signal)).rejects.toThrow('was given up')
  })
})
