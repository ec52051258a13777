import { expect, test } from 'vitest'
import type { SourceStatus, WaitingRevision } from '../../../../src/core/contracts/source-status.ts'
import { followSource, type SourceSync } from '../../../../src/engine/controller/source-sync.ts'
import type { GitSource } from '../../../../src/source/git-source.ts'
import { createManualClock, type ManualClock } from '../../../tools/manual-clock.ts'

interface Lab {
  readonly clock: ManualClock
  readonly sync: SourceSync
  readonly lines: readonly string[]
  /** Number of fetches. */
  asked(): number
  /** Number of changes of the current revision. */
  changes(): number
  /** Its answer from now on. */
  answer(next: Answer): void
}

interface Answer {
  readonly reason: string
  readonly message: string
  readonly commit?: string
  readonly waiting?: WaitingRevision
}

/** Source with the answers that the test wants; `hold`: delayed until it resolves. */
function openLab(first: Answer, hold?: Promise<void>): Lab {
  const clock = createManualClock()
  const lines: string[] = []
  let next = first
  let commit: string | undefined
  let condition = { reason: 'Pending', message: 'no revision has been fetched yet' }
  let asked = 0
  let changes = 0
  const status = (): SourceStatus => ({
    url: 'https://example.org/hosts.git',
    wanted: 'branch main',
    fetchedAt: null,
    condition: { ...condition, since: '' },
    ...(next.waiting && { waiting: next.waiting }),
    ...(commit !== undefined && {
      revision: {
        commit,
        reference: 'refs/heads/main',
        subject: 'Change web',
        author: 'Ada',
        committedAt: '',
        since: '',
      },
    }),
  })
  const source: Pick<GitSource, 'status' | 'sync' | 'accept'> = {
    status,
    async sync(signal) {
      asked += 1
      await hold
      signal.throwIfAborted()
      const hasChanged = next.commit !== undefined && next.commit !== commit
      commit = next.commit ?? commit
      condition = next
      return hasChanged
    },
    accept() {},
  }
  const log = (level: string) => (_fields: object, message: string) => void lines.push(`${level} ${message}`)
  const sync = followSource(source, {
    clock,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    interval: 60_000,
    random: () => 0.5,
    changed: () => {
      changes += 1
    },
  })
  return {
    clock,
    sync,
    lines,
    asked: () => asked,
    changes: () => changes,
    answer(answer) {
      next = answer
    },
  }
}

const good = (commit: string): Answer => ({ reason: 'UpToDate', message: `${commit} is in force`, commit })
const unreachable: Answer = { reason: 'Unreachable', message: 'Connection refused' }

test('a repository is fetched at once, then at each interval', async () => {
  const lab = openLab(good('a'.repeat(40)))
  await lab.clock.advance(0)
  expect([lab.asked(), lab.changes()]).toEqual([1, 1])
  await lab.clock.advance(59_999)
  expect(lab.asked()).toBe(1)
  await lab.clock.advance(1)
  expect([lab.asked(), lab.changes()]).toEqual([2, 1])
  lab.answer(good('b'.repeat(40)))
  await lab.clock.advance(60_000)
  expect([lab.asked(), lab.changes()]).toEqual([3, 2])
  expect(lab.lines).toEqual([
    'info revision aaaaaaaaaaaa is in force: Change web',
    'info revision bbbbbbbbbbbb is in force: Change web',
  ])
})

test('a failure is logged once, retried ever more rarely, and its end is logged', async () => {
  const lab = openLab(good('a'.repeat(40)))
  await lab.clock.advance(0)
  lab.answer(unreachable)
  await lab.clock.advance(60_000)
  await lab.clock.advance(120_000)
  await lab.clock.advance(240_000)
  expect(lab.asked()).toBe(4)
  await lab.clock.advance(479_999)
  expect(lab.asked()).toBe(4)
  lab.answer(good('a'.repeat(40)))
  await lab.clock.advance(1)
  await lab.clock.advance(60_000)
  expect(lab.asked()).toBe(6)
  expect(lab.lines.slice(1)).toEqual([
    'warn cannot follow https://example.org/hosts.git: Connection refused; aaaaaaaaaaaa stays in force',
    'info https://example.org/hosts.git is followed again',
  ])
})

test('a revision that waits is logged once, unless a condition says why', async () => {
  const waiting = { commit: 'b'.repeat(40), subject: 'Break web', message: 'its manifests are not valid' }
  const lab = openLab({ ...good('a'.repeat(40)), waiting })
  await lab.clock.advance(0)
  await lab.clock.advance(60_000)
  expect(lab.lines.slice(1)).toEqual(['warn revision bbbbbbbbbbbb waits: its manifests are not valid'])
  lab.answer({ ...good('a'.repeat(40)), waiting: { ...waiting, message: 'it failed on this host' } })
  await lab.clock.advance(60_000)
  expect(lab.lines.slice(2)).toEqual(['warn revision bbbbbbbbbbbb waits: it failed on this host'])
  const message = 'commit b is not trusted'
  lab.answer({ reason: 'Untrusted', message, commit: 'a'.repeat(40), waiting: { ...waiting, message } })
  await lab.clock.advance(60_000)
  expect(lab.lines.slice(3)).toEqual([expect.stringContaining('cannot follow')])
})

test.each(['Untrusted', 'NotFastForward', 'TreeRefused'])(
  'after a commit that is refused as %s, the repository is fetched at each interval, as another may mend it',
  async reason => {
    const lab = openLab({ reason, message: 'refused' })
    await lab.clock.advance(0)
    for (let count = 2; count < 6; count += 1) {
      await lab.clock.advance(60_000)
      expect(lab.asked()).toBe(count)
    }
  },
)

test('a request during a sync waits for one that begins after it', async () => {
  let release = (): void => {}
  const lab = openLab(
    good('a'.repeat(40)),
    new Promise(resolve => {
      release = resolve
    }),
  )
  await lab.clock.advance(0)
  const both = Promise.all([lab.sync.sync(), lab.sync.sync()])
  lab.answer(good('b'.repeat(40)))
  release()
  const [one, other] = await both
  expect(lab.asked()).toBe(2)
  expect(one).toBe(other)
  expect(one.revision?.commit).toBe('b'.repeat(40))
})

test('the end aborts a running sync, and no other begins', async () => {
  let release = (): void => {}
  const lab = openLab(
    good('a'.repeat(40)),
    new Promise(resolve => {
      release = resolve
    }),
  )
  await lab.clock.advance(0)
  const ended = lab.sync.end()
  release()
  await ended
  await lab.clock.advance(600_000)
  expect([lab.asked(), lab.changes(), lab.clock.pending]).toEqual([1, 0, 0])
})
