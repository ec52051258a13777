import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { GitSource } from '../../../src/source/git-source.ts'
import { createGitLab, noSignal, serveNothing } from '../../labs/git-lab.ts'
import { drawSample } from '../../runner/sample.ts'
import { mountSmallDisk } from '../../tools/small-disk.ts'

const manifest = (name: string): string => `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\n`

const conditionOf = (source: GitSource): string => source.status().condition.reason

describe('a Git source', () => {
  test('applies the newest commit of a branch', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': manifest('web') }, { message: 'Add web\n\nBecause it is wanted.' })
    const source = lab.open()
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe(manifest('web'))
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

    const second = lab.commit({ 'web.yaml': undefined, 'api/api.yaml': manifest('api') })
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBeUndefined()
    expect(lab.read('api/api.yaml')).toBe(manifest('api'))
    expect(source.status().revision?.commit).toBe(second)
  })

  test('does nothing if the repository has nothing new', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const runs: string[] = []
    const source = lab.open({
      onEffect: ({ kind, target }, phase) => void (phase === 'before' && runs.push(`${kind} ${target}`)),
    })
    await source.sync(noSignal)
    runs.length = 0
    expect(await source.sync(noSignal)).toBe(false)
    expect(runs).toEqual([expect.stringMatching(/^run .* ls-remote /)])
  })

  test('exports only the named directory, and fetches no other files', async () => {
    using lab = createGitLab()
    lab.upstreamGit('config', 'uploadpack.allowAnySHA1InWant', 'true')
    lab.commit({ 'hosts/web/web.yaml': manifest('web'), 'big/blob': 'x'.repeat(300_000) + Math.random() })
    const source = lab.open({ path: 'hosts/web' })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('web.yaml')).toBe(manifest('web'))
    expect(existsSync(join(lab.sourceDirectory, 'current/hosts'))).toBe(false)
    const repository = join(lab.sourceDirectory, 'git/repository.git')
    const big = lab.git('rev-parse', 'HEAD:big/blob')
    expect(() => lab.git('--git-dir', repository, 'cat-file', '-e', big)).toThrow()
  })

  test('names the directory that the commit lacks', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open({ path: 'hosts/web' })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'ReferenceNotFound',
      message: expect.stringMatching(/^commit [0-9a-f]{12} has no directory hosts\/web; correct `path`$/),
    })
  })

  test('reads a repository of SHA-256', async () => {
    using lab = createGitLab({ format: 'sha256' })
    const commit = lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(source.status().revision?.commit).toBe(commit)
    lab.commit({ 'web.yaml': manifest('api') })
    expect(await source.sync(noSignal)).toBe(true)
  })

  test('keeps the five revisions before the current one', async () => {
    using lab = createGitLab()
    const source = lab.open()
    const commits: string[] = []
    for (let round = 0; round < 8; round += 1) {
      commits.push(lab.commit({ 'web.yaml': manifest(`web${round}`) }))
      await source.sync(noSignal)
    }
    expect(readdirSync(join(lab.sourceDirectory, 'revisions')).sort()).toEqual(commits.slice(-6).sort())
  })
})

describe('the wanted revision', () => {
  test('follows the default branch when it is renamed', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open({ wish: { kind: 'default-branch' } })
    await source.sync(noSignal)
    expect(source.status().revision?.reference).toBe('refs/heads/main')
    lab.upstreamGit('branch', '--move', 'main', 'trunk')
    lab.upstreamGit('symbolic-ref', 'HEAD', 'refs/heads/trunk')
    lab.commit({ 'web.yaml': manifest('api') }, { branch: 'trunk' })
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status().revision?.reference).toBe('refs/heads/trunk')
  })

  test('is the newest tag in a range, with or without v', async () => {
    using lab = createGitLab()
    for (const tag of ['v1.2.0', '1.10.0', 'v1.9.9', 'v2.0.0', 'v1.11.0-rc.1', 'nightly']) {
      lab.commit({ 'web.yaml': manifest(`web-${tag}`) })
      lab.git('tag', '--annotate', '--message', tag, tag)
      lab.git('push', '--quiet', 'origin', tag)
    }
    const source = lab.open({ wish: { kind: 'semver', range: '^1.2' } })
    await source.sync(noSignal)
    expect(source.status().revision?.reference).toBe('refs/tags/1.10.0')
    lab.commit({ 'web.yaml': manifest('newest') })
    lab.git('tag', 'v1.12.0')
    lab.git('push', '--quiet', 'origin', 'v1.12.0')
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe(manifest('newest'))
  })

  test('is not a moved tag until a person accepts its commit', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': manifest('web') })
    lab.git('tag', 'live')
    lab.git('push', '--quiet', 'origin', 'live')
    const source = lab.open({ wish: { kind: 'tag', name: 'live' } })
    await source.sync(noSignal)
    const second = lab.commit({ 'web.yaml': manifest('api') })
    lab.git('tag', '--force', 'live')
    lab.git('push', '--quiet', '--force', 'origin', 'live')
    await source.sync(noSignal)
    expect(source.status()).toMatchObject({ revision: { commit: first }, condition: { reason: 'NotFastForward' } })
    source.accept(second)
    expect(await source.sync(noSignal)).toBe(true)
  })

  test('of a missing branch is reported, and followed when it is back', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open()
    await source.sync(noSignal)
    lab.upstreamGit('update-ref', '-d', 'refs/heads/main')
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'ReferenceNotFound',
      message: `${lab.upstream} has no branch main`,
    })
    expect(lab.read('web.yaml')).toBe(manifest('web'))
    lab.commit({ 'web.yaml': manifest('api') })
    expect(await source.sync(noSignal)).toBe(true)
    expect(conditionOf(source)).toBe('UpToDate')
  })
})

describe('a rewritten history', () => {
  test('is refused until a person accepts its commit, and the current revision stays in force', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const second = lab.commit({ 'web.yaml': manifest('api') })
    const source = lab.open()
    await source.sync(noSignal)
    lab.git('reset', '--quiet', '--hard', 'HEAD~1')
    const other = lab.commit({ 'web.yaml': manifest('other') }, { isForced: true })
    await source.sync(noSignal)
    expect(source.status()).toMatchObject({
      revision: { commit: second },
      condition: {
        reason: 'NotFastForward',
        message: `branch main leads to ${other.slice(0, 12)}, which does not descend from ${second.slice(0, 12)}, the revision in force; if that is meant, run reeve accept ${other.slice(0, 12)}`,
      },
    })
    expect(lab.read('web.yaml')).toBe(manifest('api'))
    source.accept(other)
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe(manifest('other'))
  })

  test('is refused even if the branch was only reset to an ancestor', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': manifest('web') })
    lab.commit({ 'web.yaml': manifest('api') })
    const source = lab.open()
    await source.sync(noSignal)
    lab.upstreamGit('update-ref', 'refs/heads/main', first)
    await source.sync(noSignal)
    expect(conditionOf(source)).toBe('NotFastForward')
  })

  test('is distinguished from a later commit, even if the local copy was lost', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open()
    await source.sync(noSignal)
    lab.commit({ 'web.yaml': manifest('api') })
    lab.commit({ 'web.yaml': manifest('last') })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const anew = lab.open()
    expect(await anew.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe(manifest('last'))
    lab.git('reset', '--quiet', '--hard', 'HEAD~2')
    lab.commit({ 'web.yaml': manifest('other') }, { isForced: true })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const again = lab.open()
    await again.sync(noSignal)
    expect(conditionOf(again)).toBe('NotFastForward')
  })
})

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
    lab.commit({ 'web.yaml': manifest('web') })
    const source = lab.open()
    await source.sync(noSignal)
    lab.link(path, target)
    lab.commit({ 'web.yaml': manifest('api') })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({
      reason: 'TreeRefused',
      message: `the symlink ${path} ${message}`,
    })
    expect(lab.read('web.yaml')).toBe(manifest('web'))
  })

  test('a symlink that stays inside is exported unchanged', async () => {
    using lab = createGitLab()
    lab.link('a/link.yaml', '../web.yaml')
    lab.commit({ 'web.yaml': manifest('web') })
    await lab.open().sync(noSignal)
    expect(readlinkSync(join(lab.sourceDirectory, 'current/a/link.yaml'))).toBe('../web.yaml')
    expect(lab.read('a/link.yaml')).toBe(manifest('web'))
  })

  test('a submodule', async () => {
    using lab = createGitLab()
    const commit = lab.commit({ 'web.yaml': manifest('web') })
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
    lab.commit({ 'web.yaml': manifest('web'), 'tools/run': '#!/bin/sh\n' })
    lab.git('update-index', '--chmod=+x', 'tools/run')
    lab.git('commit', '--quiet', '--message', 'Make it a program')
    lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
    await lab.open().sync(noSignal)
    const mode = (path: string): string =>
      (statSync(join(lab.sourceDirectory, 'current', path)).mode & 0o7777).toString(8)
    expect([mode('.'), mode('web.yaml'), mode('tools'), mode('tools/run')]).toEqual(['700', '600', '700', '700'])
  })
})

describe('the local copy', () => {
  test('is restored if it is corrupt', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    await lab.open().sync(noSignal)
    lab.commit({ 'web.yaml': manifest('api') })
    const packs = join(lab.sourceDirectory, 'git/repository.git/objects/pack')
    const objects = join(lab.sourceDirectory, 'git/repository.git/objects')
    for (const name of existsSync(packs) ? readdirSync(packs) : [])
      if (name.endsWith('.pack')) truncateSync(join(packs, name), 40)
    for (const folder of readdirSync(objects).filter(name => name.length === 2)) {
      for (const name of readdirSync(join(objects, folder))) writeFileSync(join(objects, folder, name), 'nonsense')
    }
    const source = lab.open()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('web.yaml')).toBe(manifest('api'))
  })

  test('is used after a killed git has left locks and half a pack behind', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    await lab.open().sync(noSignal)
    const repository = join(lab.sourceDirectory, 'git/repository.git')
    for (const name of [
      'shallow.lock',
      'refs/reeve/candidate.lock',
      'refs/reeve/current.lock',
      'config.lock',
      'packed-refs.lock',
    ]) {
      writeFileSync(join(repository, name), '')
    }
    mkdirSync(join(repository, 'objects/pack'), { recursive: true })
    writeFileSync(join(repository, 'objects/pack/tmp_pack_abc'), 'half')
    lab.commit({ 'web.yaml': manifest('api') })
    const source = lab.open()
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(existsSync(join(repository, 'objects/pack/tmp_pack_abc'))).toBe(false)
  })

  test('has the configuration that Reeve writes, whatever was in it', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    await lab.open().sync(noSignal)
    const config = join(lab.sourceDirectory, 'git/repository.git/config')
    writeFileSync(
      config,
      `${readFileSync(config, 'utf8')}[core]\n\tsshCommand = touch ${lab.directory}/run\n[include]\n\tpath = /nowhere\n`,
    )
    lab.commit({ 'web.yaml': manifest('api') })
    await lab.open().sync(noSignal)
    expect(readFileSync(config, 'utf8')).not.toContain('sshCommand')
    expect(lab.read('web.yaml')).toBe(manifest('api'))
  })

  test('switches to a revision whose symlink was not switched because of a crash', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': manifest('web') })
    await lab.open().sync(noSignal)
    lab.commit({ 'web.yaml': manifest('api') })
    let isCut = false
    const source = lab.open({
      onEffect({ kind, target }, phase) {
        if (phase === 'before' && kind === 'rename' && target.endsWith('/current')) isCut = true
        if (isCut) throw new Error('cut off')
      },
    })
    await source.sync(noSignal)
    expect(readlinkSync(join(lab.sourceDirectory, 'current'))).toBe(`revisions/${first}`)
    lab.open()
    expect(lab.read('web.yaml')).toBe(manifest('api'))
  })
})

describe('limits', () => {
  test('refuse a pack that is too large', async () => {
    using lab = createGitLab()
    const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('')
    lab.commit({ 'web.yaml': manifest('web'), 'noise.bin': noise })
    const source = lab.open({ limits: { pack: 64 * 1024 } })
    await source.sync(noSignal)
    expect(conditionOf(source)).toBe('TooLarge')
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

describe('a full disk', () => {
  test.runIf(process.geteuid?.() === 0)('is reported, and the revision is applied once there is space', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': manifest('web') })
    using disk = mountSmallDisk(lab.sourceDirectory)
    const source = lab.open()
    await source.sync(noSignal)
    expect(lab.read('web.yaml')).toBe(manifest('web'))
    lab.commit({ 'web.yaml': manifest('api'), 'noise.yaml': '#'.repeat(10_000) })
    disk.fill()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'DiskFull' })
    expect(lab.read('web.yaml')).toBe(manifest('web'))
    disk.free()
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe(manifest('api'))
  })
})

/** From here on nothing is done any more, as after SIGKILL. */
class Cut extends Error {}

test('E4: a sync interrupted at any effect completes when repeated', { timeout: 300_000 }, async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': manifest('web'), 'a/b.yaml': manifest('b') })
  lab.link('a/link.yaml', '../web.yaml')
  lab.commit({})
  const ends: string[] = []
  const sample = drawSample(6)
  let moments = 0
  for (let moment = sample.first; ; moment += sample.stride) {
    rmSync(lab.sourceDirectory, { recursive: true, force: true })
    let count = 0
    const cut = lab.tryOpen({
      onEffect() {
        count += 1
        if (count >= moment) throw new Cut()
      },
    })
    await cut?.sync(noSignal)
    if (count < moment) break
    moments += 1
    const again = lab.open()
    await again.sync(noSignal)
    const tree = ['web.yaml', 'a/b.yaml', 'a/link.yaml'].map(path => lab.read(path))
    ends.push(
      JSON.stringify([
        again.status().condition.reason,
        tree,
        readdirSync(join(lab.sourceDirectory, 'revisions')).length,
      ]),
    )
  }
  expect(new Set(ends)).toEqual(
    new Set([JSON.stringify(['UpToDate', [manifest('web'), manifest('b'), manifest('web')], 1])]),
  )
  expect(moments).toBeGreaterThan(5)
})
