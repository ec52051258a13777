import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createReadHost } from '../../../src/host/read-host.ts'
import { measureCopy } from '../../../src/source/copy-size.ts'
import { createGitLab, type GitLab, noSignal } from '../../labs/git-lab.ts'
import { createSigningKeys } from '../../labs/signing-keys.ts'
import { drawSample } from '../../runner/sample.ts'

const copyOf = (lab: GitLab): string => join(lab.sourceDirectory, 'git/repository.git')
const sizeOf = (lab: GitLab) => measureCopy(copyOf(lab), createReadHost())

/** Bytes that no compression makes fewer. */
const noise = (size: number): string => randomBytes(size / 2).toString('hex')

describe('the local copy', () => {
  test('that would become too large is not fetched, and the revision in force stays', async () => {
    using lab = createGitLab()
    // Without filters, all files come.
    lab.upstreamGit('config', 'uploadpack.allowFilter', 'false')
    lab.commit({ 'web.yaml': 'a' })
    const limits = { copy: 512 * 1024 }
    const source = lab.open({ limits })
    await source.sync(noSignal)
    const huge = lab.commit({ 'web.yaml': 'b', one: noise(400_000), two: noise(400_000), three: noise(400_000) })
    expect(await source.sync(noSignal)).toBe(false)
    expect(source.status().condition).toMatchObject({
      reason: 'TooLarge',
      message: expect.stringMatching(
        /the local copy would take more than 0 MiB; the repository is larger than Reeve takes/,
      ),
    })
    expect(lab.read('web.yaml')).toBe('a')
    expect(readdirSync(join(lab.sourceDirectory, 'git')).sort()).toEqual(['home', 'repository.git'])
    lab.git('reset', '--quiet', '--hard', `${huge}~1`)
    lab.commit({ 'web.yaml': 'c' }, { isForced: true })
    expect(await source.sync(noSignal)).toBe(true)
    expect(sizeOf(lab).bytes).toBeLessThan(limits.copy)
  })

  /** What a commit changes: a fetch leaves a pack if it brings 100 objects, and loose ones otherwise. */
  const manyFiles = (mark: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 110 }, (_, index) => [`f${index}.txt`, `${mark} ${index}`]))

  test.each<[what: 'packs' | 'files' | 'bytes', limits: object, change: (mark: string) => Record<string, string>]>([
    ['packs', { packs: 2 }, manyFiles],
    ['files', { files: 15 }, mark => ({ 'web.yaml': mark })],
    ['bytes', { copy: 200_000 }, mark => ({ 'web.yaml': `${mark} ${noise(60_000)}` })],
  ])('that has piled up %s is made anew by a later fetch, and goes on from there', async (what, limits, change) => {
    using lab = createGitLab()
    const source = lab.open({ limits })
    const sizes: number[] = []
    for (let round = 0; round < 6; round += 1) {
      lab.commit(change(String(round)))
      await source.sync(noSignal)
      expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
      sizes.push(sizeOf(lab)[what])
    }
    expect(sizes.some((size, index) => size < (sizes[index - 1] ?? 0))).toBe(true)
    expect(existsSync(join(lab.sourceDirectory, 'git/next'))).toBe(false)
  })

  test('that is due to be made anew stays while the server cannot be reached, and a rewritten history is still seen', async () => {
    using lab = createGitLab()
    const keys = createSigningKeys(lab)
    const signer = keys.addSsh('ada')
    const first = lab.commit({ 'web.yaml': 'a' }, { signer })
    const limits = { files: 1 }
    const verify = { commits: 'every', signers: { file: keys.signers } } as const
    const admission = { admit: () => undefined, kept: () => [first], recovered() {} }
    const source = lab.open({ limits, verify, admission })
    await source.sync(noSignal)
    const former = source.revision()
    if (!former) throw new Error('no revision is in force')
    for (const content of ['b', 'b2', 'b3']) {
      lab.commit({ 'web.yaml': content }, { signer })
      await source.sync(noSignal)
    }
    lab.commit({ 'web.yaml': 'c' }, { signer })
    renameSync(lab.upstream, `${lab.upstream}-away`)
    await source.sync(noSignal)
    expect(source.status().condition.reason).not.toBe('UpToDate')
    // Signatures of what is in force and of what there may be a way back to can be verified all the same.
    await source.enforce(former, noSignal)
    expect(lab.read('web.yaml')).toBe('a')
    renameSync(`${lab.upstream}-away`, lab.upstream)
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('c')
    lab.git('reset', '--quiet', '--hard', first)
    lab.commit({ 'web.yaml': 'other' }, { signer, isForced: true })
    await source.sync(noSignal)
    expect(source.status().condition.reason).toBe('NotFastForward')
  })
})

test('E4: a renewal of the copy that is interrupted at any effect completes when repeated', {
  timeout: 300_000,
}, async () => {
  using lab = createGitLab()
  const saved = `${lab.sourceDirectory}-saved`
  const limits = { files: 1 }
  lab.commit({ 'web.yaml': 'a' })
  await lab.open({ limits }).sync(noSignal)
  cpSync(lab.sourceDirectory, saved, { recursive: true, verbatimSymlinks: true })
  const second = lab.commit({ 'web.yaml': 'b' })
  const ends: string[] = []
  const sample = drawSample(7)
  let moments = 0
  for (let moment = sample.first; ; moment += sample.stride) {
    rmSync(lab.sourceDirectory, { recursive: true })
    cpSync(saved, lab.sourceDirectory, { recursive: true, verbatimSymlinks: true })
    let count = 0
    const cut = lab.tryOpen({
      limits,
      onEffect() {
        count += 1
        if (count >= moment) throw new Error('cut off')
      },
    })
    await cut?.sync(noSignal)
    if (count < moment) break
    moments += 1
    const again = lab.open({ limits })
    await again.sync(noSignal)
    const met = [again.status().condition.reason, lab.read('web.yaml')]
    lab.commit({ 'web.yaml': 'c' })
    await again.sync(noSignal)
    const left = readdirSync(join(lab.sourceDirectory, 'git')).sort()
    ends.push(JSON.stringify([met, lab.read('web.yaml'), left]))
    lab.git('reset', '--quiet', '--hard', second)
    lab.upstreamGit('update-ref', 'refs/heads/main', second)
  }
  expect(new Set(ends)).toEqual(new Set([JSON.stringify([['UpToDate', 'b'], 'c', ['home', 'repository.git']])]))
  expect(moments).toBeGreaterThan(5)
})
