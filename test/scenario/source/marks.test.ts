import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { Control } from '../../../src/core/contracts/control.ts'
import type { Plan } from '../../../src/core/plan/step.ts'
import { formatMark } from '../../../src/core/state/revision-mark.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { makeCurrentPlan } from '../../../src/engine/execution/apply.ts'
import { openSession } from '../../../src/engine/session/session.ts'
import type { GitSource } from '../../../src/source/git-source.ts'
import type { Former } from '../../../src/source/recovery.ts'
import { keyOf, sourceIdOf } from '../../../src/source/source-state.ts'
import { facilityManifest, longRun } from '../../labs/engine-lab.ts'
import { createGitLab, type GitLab, noSignal } from '../../labs/git-lab.ts'
import { powerOff } from '../../labs/process-lab.ts'
import { createSigningKeys } from '../../labs/signing-keys.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

/** Host that follows the repository, under the built-in supervisor. */
interface MarkLab extends AsyncDisposable {
  readonly lab: GitLab
  readonly control: Control
  apply(): Promise<ApplyOutcome>
  plan(): Promise<Plan>
  definition(): string
  writeDefinition(text: string): void
  /** As after the loss of the directory in which the source is kept. */
  loseState(): void
}

async function createMarkLab(): Promise<MarkLab> {
  const lab = createGitLab()
  const state = join(lab.directory, 'reeve')
  const config = join(lab.directory, 'reeve.yaml')
  const source = `source: { git: { url: "${lab.upstream}", branch: main } }`
  writeFileSync(config, `apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: process\n${source}\n`)
  const session = await openSession({
    config,
    stateDir: state,
    insecurePermissions: true,
    extraProviders: [processProvider],
  })
  const control = createDirectControl(session)
  const path = join(state, 'process/definitions/web.json')
  return {
    lab,
    control,
    apply: () => control.apply({}, { signal: noSignal, listener() {} }),
    plan: () => makeCurrentPlan(session),
    definition: () => readFileSync(path, 'utf8'),
    writeDefinition: text => writeFileSync(path, text),
    loseState: () => rmSync(join(state, 'source'), { recursive: true }),
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]()
      await powerOff(join(state, 'process'))
      lab[Symbol.dispose]()
    },
  }
}

const web = (mark: number): Record<string, string> => ({
  'web.yaml': facilityManifest('web', { process: longRun(mark) }),
})

test('E3, E20: a definition has the mark of the revision that it was written for, and a new commit alone changes nothing', async () => {
  await using host = await createMarkLab()
  const { lab } = host
  const first = lab.commit(web(1))
  expect((await host.apply()).failed).toEqual([])
  const text = host.definition()
  expect(text).toMatch(new RegExp(`"revision:1:${first}:[0-9a-f]{40}:[0-9a-f]{16}"`))

  lab.commit({ 'README.md': 'more\n' })
  const outcome = await host.apply()
  expect([outcome.stepsDone, outcome.plan.summary.unchanged]).toEqual([0, 1])
  expect(host.definition()).toBe(text)

  // Drift right after another commit is drift.
  lab.commit({ 'README.md': 'even more\n' })
  await host.control.sync()
  host.writeDefinition(text.replace('1000001', '1000099'))
  expect((await host.plan()).facilities).toMatchObject([{ name: 'web', change: 'repair' }])
  await host.apply()
  expect(host.definition()).toMatch(/"revision:3:/)

  lab.commit(web(2))
  await host.control.sync()
  const planned = await host.plan()
  const last = lab.commit({ 'README.md': 'the end\n' })
  await host.control.sync()
  expect((await host.plan()).digest).toBe(planned.digest)
  expect((await host.apply()).plan.facilities).toMatchObject([{ name: 'web', change: 'change' }])
  expect(host.definition()).toContain(`revision:5:${last}:`)
})

test('a marker without a revision is no difference, and neither is one where no source is followed any more', async () => {
  await using host = await createMarkLab()
  host.lab.commit(web(1))
  await host.apply()
  const text = host.definition()
  host.writeDefinition(text.replace(/,\s*"revision": "[^"]*"/, ''))
  expect(host.definition()).not.toContain('revision')
  expect((await host.plan()).summary.unchanged).toBe(1)
  host.writeDefinition(text)
  host.loseState()
  const manifests = join(host.lab.directory, 'work')
  const session = await openSession({
    config: join(host.lab.directory, 'reeve.yaml'),
    stateDir: join(host.lab.directory, 'reeve'),
    directory: manifests,
    insecurePermissions: true,
    extraProviders: [processProvider],
  })
  expect((await makeCurrentPlan(session)).summary.unchanged).toBe(1)
  session[Symbol.dispose]()
})

test('with the state lost, an older revision is refused until a person accepts it, and a newer one is taken', async () => {
  await using host = await createMarkLab()
  const { lab } = host
  const old = lab.commit(web(1))
  await host.apply()
  const current = lab.commit(web(2))
  await host.apply()
  const text = host.definition()

  host.loseState()
  lab.upstreamGit('update-ref', 'refs/heads/main', old)
  expect((await host.control.sync()).condition).toMatchObject({
    reason: 'NotFastForward',
    message: expect.stringMatching(
      `leads to ${old.slice(0, 12)}, which does not descend from ${current.slice(0, 12)}, which services on this host were made from; if that is meant, run reeve accept`,
    ),
  })
  expect(host.definition()).toBe(text)
  expect((await host.control.accept(old)).condition.reason).toBe('UpToDate')
  await host.apply()
  expect(host.definition()).toMatch(new RegExp(`revision:3:${old}`))

  host.loseState()
  lab.upstreamGit('update-ref', 'refs/heads/main', current)
  for (let count = 0; count < 3; count += 1) lab.commit({ 'README.md': `${count}` })
  expect((await host.control.sync()).condition.reason).toBe('UpToDate')
})

/** A source without state, on a host where something has the mark of that commit. */
function openWithMark(lab: GitLab, commit: string, options: Parameters<GitLab['open']>[0] = {}): GitSource {
  const key = keyOf({
    url: { transport: 'file', text: lab.upstream },
    wish: { kind: 'branch', name: 'main' },
    path: '',
  })
  const mark = { count: 5, commit, tree: 'a'.repeat(40), source: sourceIdOf(key) }
  const older = { ...mark, count: 4, commit: 'f'.repeat(40) }
  const other = { ...mark, count: 9, commit: 'e'.repeat(40), source: '0'.repeat(16) }
  return lab.open({ findMarks: async () => [older, mark, other].map(formatMark), ...options })
}

test('what the host had accepted needs no signature of today', async () => {
  using lab = createGitLab()
  const keys = createSigningKeys(lab)
  const retired = keys.addSsh('retired')
  lab.commit({ 'web.yaml': 'a' }, { signer: retired })
  const accepted = lab.commit({ 'web.yaml': 'b' }, { signer: retired })
  keys.remove('retired')
  const ada = keys.addSsh('ada')
  lab.commit({ 'web.yaml': 'c' }, { signer: ada })
  const head = lab.commit({ 'web.yaml': 'd' }, { signer: ada })
  const verify = { commits: 'every', signers: { file: keys.signers } } as const
  const source = openWithMark(lab, accepted, { verify })
  await source.sync(noSignal)
  expect(source.status()).toMatchObject({ condition: { reason: 'UpToDate' }, revision: { commit: head } })
})

test('between the mark and the head, each commit is verified', async () => {
  using lab = createGitLab()
  const keys = createSigningKeys(lab)
  const ada = keys.addSsh('ada')
  const accepted = lab.commit({ 'web.yaml': 'a' }, { signer: ada })
  const unsigned = lab.commit({ 'web.yaml': 'b' })
  lab.commit({ 'web.yaml': 'c' }, { signer: ada })
  const source = openWithMark(lab, accepted, { verify: { commits: 'every', signers: { file: keys.signers } } })
  await source.sync(noSignal)
  expect(source.status().condition).toMatchObject({
    reason: 'Untrusted',
    message: expect.stringContaining(unsigned.slice(0, 12)),
  })
})

test.each([
  ['is in force again, if it is still trusted', false],
  ['is left out, if its key was removed', true],
])('what the mark says was in force before %s', async (_what, isRemoved) => {
  using lab = createGitLab()
  const keys = createSigningKeys(lab)
  const former = lab.commit({ 'web.yaml': 'a' }, { signer: keys.addSsh('bob') })
  const head = lab.commit({ 'web.yaml': 'b' }, { signer: keys.addSsh('ada') })
  if (isRemoved) keys.remove('bob')
  const found: Former[] = []
  const admission = { admit: () => 'it waits', kept: () => [], recovered: (one: Former) => void found.push(one) }
  const verify = { commits: 'every', signers: { file: keys.signers } } as const
  const source = openWithMark(lab, former, { verify, admission })
  await source.sync(noSignal)
  expect(found.map(({ inForce }) => inForce.commit)).toEqual(isRemoved ? [] : [former])
  expect(lab.read('web.yaml')).toBe(isRemoved ? undefined : 'a')
  expect(source.status()).toMatchObject({ waiting: { commit: head } })
})

test('a mark that the repository does not have any more needs the word of a person', async () => {
  using lab = createGitLab()
  const keys = createSigningKeys(lab)
  const head = lab.commit({ 'web.yaml': 'a' }, { signer: keys.addSsh('ada') })
  const source = openWithMark(lab, 'd'.repeat(40), { verify: { commits: 'every', signers: { file: keys.signers } } })
  await source.sync(noSignal)
  expect(source.status().condition.reason).toBe('NotFastForward')
  source.accept(head)
  await source.sync(noSignal)
  expect(source.status()).toMatchObject({ condition: { reason: 'UpToDate' }, revision: { commit: head } })
})

test('where it cannot be told what was accepted, nothing is taken, and it is asked again', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'a' })
  let isWell = false
  const source = lab.open({
    clock: createManualClock(),
    async findMarks() {
      if (!isWell) throw new Error('systemd does not answer')
      return []
    },
  })
  await source.sync(noSignal)
  expect(source.status().condition.message).toContain('systemd does not answer')
  expect(lab.read('web.yaml')).toBeUndefined()
  isWell = true
  await source.sync(noSignal)
  expect(lab.read('web.yaml')).toBe('a')
})
