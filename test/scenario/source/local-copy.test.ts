import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGitLab, noSignal } from '../../labs/git-lab.ts'
import { drawSample } from '../../runner/sample.ts'
import { mountSmallDisk } from '../../tools/small-disk.ts'

describe('the local copy', () => {
  test('is restored if it is corrupt', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    await lab.open().sync(noSignal)
    lab.commit({ 'web.yaml': 'api' })
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
    expect(lab.read('web.yaml')).toBe('api')
  })

  test('is used after a killed git has left locks and half a pack behind', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
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
    lab.commit({ 'web.yaml': 'api' })
    const source = lab.open()
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    expect(existsSync(join(repository, 'objects/pack/tmp_pack_abc'))).toBe(false)
  })

  test('has the configuration that Reeve writes, whatever was in it', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    await lab.open().sync(noSignal)
    const config = join(lab.sourceDirectory, 'git/repository.git/config')
    writeFileSync(
      config,
      `${readFileSync(config, 'utf8')}[core]\n\tsshCommand = touch ${lab.directory}/run\n[include]\n\tpath = /nowhere\n`,
    )
    lab.commit({ 'web.yaml': 'api' })
    await lab.open().sync(noSignal)
    expect(readFileSync(config, 'utf8')).not.toContain('sshCommand')
    expect(lab.read('web.yaml')).toBe('api')
  })

  test('switches to a revision whose symlink was not switched because of a crash', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': 'web' })
    await lab.open().sync(noSignal)
    lab.commit({ 'web.yaml': 'api' })
    let isCut = false
    const source = lab.open({
      onEffect({ kind, target }, phase) {
        if (phase === 'before' && kind === 'rename' && target === join(lab.sourceDirectory, 'current')) isCut = true
        if (isCut) throw new Error('cut off')
      },
    })
    await source.sync(noSignal)
    expect(readlinkSync(join(lab.sourceDirectory, 'current'))).toBe(`revisions/${first}`)
    lab.open()
    expect(lab.read('web.yaml')).toBe('api')
  })
})

describe('a full disk', () => {
  test.runIf(process.geteuid?.() === 0)('is reported, and the revision is applied once there is space', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    using disk = mountSmallDisk(lab.sourceDirectory)
    const source = lab.open()
    await source.sync(noSignal)
    expect(lab.read('web.yaml')).toBe('web')
    lab.commit({ 'web.yaml': 'api', 'noise.yaml': '#'.repeat(10_000) })
    disk.fill()
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'DiskFull' })
    expect(lab.read('web.yaml')).toBe('web')
    disk.free()
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('api')
  })
})

/** From here on nothing is done any more, as after SIGKILL. */
class Cut extends Error {}

test('E4: a sync interrupted at any effect completes when repeated', { timeout: 300_000 }, async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'web', 'a/b.yaml': 'b' })
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
  expect(new Set(ends)).toEqual(new Set([JSON.stringify(['UpToDate', ['web', 'b', 'web'], 1])]))
  expect(moments).toBeGreaterThan(5)
})
