import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { WriteHost } from '../../../../src/core/contracts/host.ts'
import type { Look } from '../../../../src/engine/rollout/look.ts'
import { openRollout, type Rollout } from '../../../../src/engine/rollout/rollout.ts'
import { readRevisions } from '../../../../src/engine/rollout/rollout-report.ts'
import { readExported } from '../../../../src/engine/session/exported-manifests.ts'
import { openSession, type Session } from '../../../../src/engine/session/session.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'
import type { Admission, GitSource } from '../../../../src/source/git-source.ts'
import type { Revision } from '../../../../src/source/source-state.ts'
import { createManualClock, type ManualClock } from '../../../tools/manual-clock.ts'

const [a, b, c] = ['a', 'b', 'c'].map(letter => letter.repeat(40)) as [string, string, string]
const signal = new AbortController().signal
const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

interface Lab {
  readonly clock: ManualClock
  readonly session: Session
  /** Another roll-out on the same host, as after a restart of the controller. */
  open(): Rollout
  /** The repository has the commit. Returns what is against it. */
  push(commit: string, command?: string): string | undefined
  /** The same, and a crash comes before it is in force. */
  crash(commit: string): void
  /** `web`: how it stands. */
  judge(rollout: Rollout, web: 'ready' | 'crashed' | 'unknown'): Promise<void>
  /** What happens while the source is asked something. */
  meanwhile(act: () => void): void
  /** The source can't put anything into force. */
  failing(message: string | undefined): void
  /** The disk is full, or isn't any more. */
  fill(isFull: boolean): void
  /** When the roll-out wants to be judged again. */
  due(): number
  outcomes(rollout: Rollout): string
}

async function createLab(rules = ''): Promise<Lab> {
  const top = mkdtempSync(join(tmpdir(), 'rollout-'))
  directories.push(top)
  const clock = createManualClock()
  let isFull = false
  const session = await openSession({
    configurationText: `
apiVersion: reeve/v1
kind: HostConfiguration
stateDirectory: ${top}/state
source: { git: { url: ${top}/upstream } }
rollout: { minHealthyTime: 0s ${rules} }
`,
    insecurePermissions: true,
    clock,
    createWriteHost(options): WriteHost {
      const host = createWriteHost(options)
      return {
        ...host,
        writeFile(...args) {
          if (isFull) throw new Error('ENOSPC: no space left on device')
          return host.writeFile(...args)
        },
      }
    },
  })
  const source = join(session.directory, '..')
  mkdirSync(join(source, 'revisions'), { recursive: true })
  let inForce: Revision | undefined
  let admission: Admission | undefined
  let meanwhile = (): void => {}
  let failing: string | undefined
  let due = 0

  function switchTo(revision: Revision): void {
    if (inForce) unlinkSync(session.directory)
    symlinkSync(join('revisions', revision.commit), session.directory)
    inForce = revision
  }

  function whileAsked(): void {
    const act = meanwhile
    meanwhile = () => {}
    act()
    if (failing !== undefined) throw new Error(failing)
  }

  const fake: Pick<GitSource, 'status' | 'revision' | 'enforce' | 'findUnreachable' | 'directoryOf'> = {
    status: () => ({
      url: '',
      wanted: '',
      fetchedAt: null,
      condition: { reason: 'UpToDate', message: '', since: '' },
    }),
    revision: () => inForce,
    async enforce(revision, _signal, isWanted = () => true) {
      whileAsked()
      if (isWanted()) switchTo(revision)
    },
    async findUnreachable() {
      whileAsked()
      return undefined
    },
    directoryOf: commit => join(source, 'revisions', commit),
  }

  function admit(commit: string, command = '[/bin/sleep, "1"]'): [Revision, string | undefined] {
    const directory = join(source, 'revisions', commit)
    mkdirSync(directory, { recursive: true })
    writeFileSync(
      join(directory, 'web.yaml'),
      `apiVersion: reeve/v1
kind: Facility
metadata: { name: web }
spec: { process: { command: ${command}, environment: { COMMIT: ${commit} } } }
`,
    )
    const at = new Date(clock.now()).toISOString()
    const revision: Revision = {
      commit,
      tree: commit,
      reference: 'refs/heads/main',
      referenceId: commit,
      subject: '',
      author: '',
      committedAt: at,
      since: at,
    }
    return [revision, admission?.admit(revision)]
  }

  return {
    clock,
    session,
    open: () =>
      openRollout(session, {
        open(found) {
          admission = found
          return fake as GitSource
        },
        isController: true,
        changed() {},
        again(at) {
          due = at
        },
        signal,
      }),
    push(commit, command) {
      const [revision, refusal] = admit(commit, command)
      if (refusal === undefined) switchTo(revision)
      return refusal
    },
    crash(commit) {
      admit(commit)
    },
    async judge(rollout, web) {
      const commit = inForce?.commit ?? ''
      const set = readExported(session, join(source, 'revisions', commit))
      const status = { ready: 'True', crashed: 'False', unknown: 'Unknown' }[web]
      const ready = { status, reason: web === 'ready' ? 'Running' : 'CrashLooping', message: web }
      const look = {
        set,
        commit,
        plan: { summary: { add: 0, change: 1, repair: 0, remove: 0 } },
        facilities: [{ name: 'web', pid: 1, conditions: [{ type: 'Ready', since: '', ...ready }] }],
        hasWork: () => false,
        hindered: new Set(),
        unavailable: new Map(),
        applied: new Map(),
      } as unknown as Look
      await rollout.judge(look)
    },
    meanwhile(act) {
      meanwhile = act
    },
    failing(message) {
      failing = message
    },
    fill(value) {
      isFull = value
    },
    due: () => due,
    outcomes(rollout) {
      const current = rollout.status().rollout
      return `${current?.outcome} ${current?.commit[0]}, ${inForce?.commit[0]} in force`
    },
  }
}

test('a full disk at the start of a controller is over once there is room again', async () => {
  const lab = await createLab()
  lab.open()
  lab.push(a)
  lab.fill(true)
  const second = lab.open()
  await expect(lab.judge(second, 'ready')).rejects.toThrow('ENOSPC')
  lab.fill(false)
  await lab.judge(second, 'ready')
  expect(lab.outcomes(second)).toBe('Healthy a, a in force')
})

describe('a newer revision', () => {
  test('that comes while the repository is asked leaves the former one superseded', async () => {
    const lab = await createLab()
    const rollout = lab.open()
    lab.push(a)
    lab.meanwhile(() => lab.push(b))
    await lab.judge(rollout, 'ready')
    expect(lab.outcomes(rollout)).toBe('Pending b, b in force')
    expect(readRevisions(lab.session).at(-1)?.outcome).toBe('Superseded')
    await lab.judge(rollout, 'ready')
    expect(lab.outcomes(rollout)).toBe('Healthy b, b in force')
  })

  test('that comes on the way back stays in force', async () => {
    const lab = await createLab()
    const rollout = lab.open()
    lab.push(a)
    await lab.judge(rollout, 'ready')
    lab.push(b)
    lab.meanwhile(() => lab.push(c))
    await lab.judge(rollout, 'crashed')
    expect(lab.outcomes(rollout)).toBe('Pending c, c in force')
    await lab.judge(rollout, 'ready')
    expect(lab.outcomes(rollout)).toBe('Healthy c, c in force')
  })

  test.each([
    ['is under way', '', 'RolledBack'],
    ['is held', ', onFailure: hold', 'Failed'],
  ])('whose manifests are not valid does not end the judgement of one that %s', async (_how, rules, end) => {
    const lab = await createLab(rules)
    const rollout = lab.open()
    lab.push(a)
    await lab.judge(rollout, 'ready')
    lab.push(b)
    if (rules) await lab.judge(rollout, 'crashed')
    const gate = rollout.gate()
    expect(lab.push(c, '[]')).toContain('its manifests are not valid')
    expect(rollout.gate()).toEqual(gate)
    await lab.judge(rollout, 'crashed')
    if (!rules) await lab.judge(rollout, 'ready')
    expect(rollout.status().rollout).toMatchObject({ commit: b, outcome: end })
  })
})

describe('what can’t come into force', () => {
  test('as a person has chosen it, leaves everything as it is', async () => {
    const lab = await createLab()
    const rollout = lab.open()
    for (const commit of [a, b]) {
      lab.push(commit)
      await lab.judge(rollout, 'ready')
    }
    lab.failing('its export is gone')
    await expect(rollout.pin(a)).rejects.toThrow('its export is gone')
    expect(lab.outcomes(rollout)).toBe('Healthy b, b in force')
    expect(rollout.isBusy()).toBe(false)
    expect(rollout.status().rollout?.isPinned).toBeUndefined()
  })

  test('as a crash came between, does so later', async () => {
    const lab = await createLab()
    const rollout = lab.open()
    lab.push(a)
    await lab.judge(rollout, 'ready')
    lab.crash(b)
    const next = lab.open()
    expect(lab.outcomes(next)).toBe('Pending b, a in force')
    await lab.judge(next, 'ready')
    await lab.judge(next, 'ready')
    expect(lab.outcomes(next)).toBe('Healthy b, b in force')
  })

  test('as the disk is full on the way back, does so later', async () => {
    const lab = await createLab()
    const rollout = lab.open()
    lab.push(a)
    await lab.judge(rollout, 'ready')
    lab.push(b)
    lab.failing('ENOSPC: no space left on device')
    await expect(lab.judge(rollout, 'crashed')).rejects.toThrow('ENOSPC')
    expect(lab.outcomes(rollout)).toBe('Failed b, b in force')
    lab.failing(undefined)
    await lab.judge(rollout, 'crashed')
    expect(lab.outcomes(rollout)).toBe('Failed b, a in force')
    await lab.judge(rollout, 'ready')
    expect(lab.outcomes(rollout)).toBe('RolledBack b, a in force')
  })
})

test('who waits for a stalled revision gives up after its progressDeadline, and is not kept from waiting again', async () => {
  const lab = await createLab(', progressDeadline: 1m')
  const rollout = lab.open()
  lab.push(a)
  await lab.judge(rollout, 'unknown')
  let told: string | undefined
  const waits = rollout.settled(signal).then(() => {
    told = rollout.status().rollout?.outcome
  })
  lab.clock.pass(59_999)
  await lab.judge(rollout, 'unknown')
  expect([told, rollout.isStuck()]).toEqual([undefined, false])
  expect(lab.due()).toBe(lab.clock.elapsed() + 1)
  lab.clock.pass(1)
  await lab.judge(rollout, 'unknown')
  await waits
  expect([told, rollout.isStuck()]).toEqual(['Progressing', true])
  await lab.judge(rollout, 'ready')
  expect(lab.outcomes(rollout)).toBe('Healthy a, a in force')
})
