import { existsSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Admission } from '../../../src/source/git-source.ts'
import { createGitLab, type GitLab, noSignal } from '../../labs/git-lab.ts'

const manifest = (content: string): Record<string, string> => ({ 'web.yaml': `${content}\n` })

/** Admits everything but the commits with a reason against them. */
function refusing(reasons: Map<string, string>, kept: string[] = []): Admission {
  return { admit: ({ commit }) => reasons.get(commit), kept: () => kept, recovered() {} }
}

async function withLab(use: (lab: GitLab) => Promise<void>): Promise<void> {
  using lab = createGitLab()
  await use(lab)
}

test('a revision that is not admitted waits, and the one in force stays', () =>
  withLab(async lab => {
    const first = lab.commit(manifest('one'))
    const reasons = new Map<string, string>()
    const source = lab.open({ admission: refusing(reasons) })
    expect(await source.sync(noSignal)).toBe(true)
    const second = lab.commit(manifest('two'), { message: 'Break web' })
    reasons.set(second, 'it failed on this host')
    expect(await source.sync(noSignal)).toBe(false)
    expect(source.status()).toMatchObject({
      revision: { commit: first },
      condition: { reason: 'UpToDate' },
      waiting: { commit: second, subject: 'Break web', message: 'it failed on this host' },
    })
    expect(lab.read('web.yaml')).toBe('one\n')
    reasons.clear()
    expect(await source.sync(noSignal)).toBe(true)
    expect(source.status()).not.toHaveProperty('waiting')
    expect(lab.read('web.yaml')).toBe('two\n')
  }))

test('a revision that was in force comes into force again, also after its export was deleted', () =>
  withLab(async lab => {
    const first = lab.commit(manifest('one'))
    const source = lab.open()
    await source.sync(noSignal)
    const former = source.revision()
    if (!former) throw new Error('no revision is in force')
    const second = lab.commit(manifest('two'))
    await source.sync(noSignal)
    await source.enforce(former, noSignal)
    expect(source.status().revision?.commit).toBe(first)
    expect(lab.read('web.yaml')).toBe('one\n')
    // By itself, the repository puts its newest revision into force again.
    await source.sync(noSignal)
    expect(source.status().revision?.commit).toBe(second)
    rmSync(source.directoryOf(first), { recursive: true })
    await source.enforce(former, noSignal)
    expect(lab.read('web.yaml')).toBe('one\n')
  }))

test('after a way back, the newest accepted revision is what the next has to descend from', () =>
  withLab(async lab => {
    lab.commit(manifest('one'))
    const reasons = new Map<string, string>()
    const source = lab.open({ admission: refusing(reasons) })
    await source.sync(noSignal)
    const former = source.revision()
    if (!former) throw new Error('no revision is in force')
    const bad = lab.commit(manifest('bad'))
    await source.sync(noSignal)
    reasons.set(bad, 'it failed')
    await source.enforce(former, noSignal)
    lab.git('reset', '--quiet', '--hard', former.commit)
    lab.commit(manifest('rewritten'), { isForced: true })
    await source.sync(noSignal)
    expect(source.status().condition.reason).toBe('NotFastForward')
    expect(lab.read('web.yaml')).toBe('one\n')
  }))

test('exports that are needed are kept, however many come after', () =>
  withLab(async lab => {
    const first = lab.commit(manifest('0'))
    const source = lab.open({ admission: refusing(new Map(), [first]) })
    await source.sync(noSignal)
    const second = lab.commit(manifest('1'))
    await source.sync(noSignal)
    for (let count = 2; count < 9; count += 1) {
      lab.commit(manifest(String(count)))
      await source.sync(noSignal)
    }
    expect(existsSync(source.directoryOf(first))).toBe(true)
    expect(existsSync(source.directoryOf(second))).toBe(false)
  }))

test('equal content has an equal tree, whatever changes elsewhere in the repository', () =>
  withLab(async lab => {
    lab.commit({ 'hosts/web.yaml': 'one\n', 'README.md': 'a\n' })
    const source = lab.open({ path: 'hosts' })
    await source.sync(noSignal)
    const tree = source.revision()?.tree
    lab.commit({ 'README.md': 'b\n' })
    await source.sync(noSignal)
    expect(source.revision()?.tree).toBe(tree)
    lab.commit({ 'hosts/web.yaml': 'two\n' })
    await source.sync(noSignal)
    expect(source.revision()?.tree).not.toBe(tree)
  }))
