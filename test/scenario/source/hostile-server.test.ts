import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SourceCondition } from '../../../src/core/contracts/source-status.ts'
import type { RepositoryLimits } from '../../../src/source/repository-limits.ts'
import { createGitLab, type GitLab, type GitServer, noSignal, serveByDaemon } from '../../labs/git-lab.ts'
import {
  afterListing,
  type Behaviour,
  endlessPack,
  endlessReferences,
  garbage,
  mute,
  serveHostilely,
} from '../../labs/hostile-server.ts'

/** In ms and bytes: what ends a fetch is not the patience of the test. */
const limits: Partial<RepositoryLimits> = { command: 3_000, fetch: 5_000, copy: 8 * 1024 ** 2 }

/** Condition after a sync from the server. */
async function conditionAt(
  lab: GitLab,
  behave: Behaviour,
  { scheme = 'git', ...more }: Partial<RepositoryLimits> & { readonly scheme?: string } = {},
): Promise<SourceCondition> {
  await using server = await serveHostilely(behave)
  const url = `${scheme}://127.0.0.1:${server.port}/upstream.git`
  const source = lab.open({ url, limits: { ...limits, ...more } })
  await source.sync(noSignal)
  return source.status().condition
}

describe.each(['git', 'http', 'https', 'ssh'])('over %s, a server', scheme => {
  test('that says nothing is given up', async () => {
    using lab = createGitLab()
    const { reason, message } = await conditionAt(lab, mute, { scheme })
    expect([reason, message]).toEqual(['TimedOut', 'git did not end within 3 s'])
  })

  test('that sends garbage is reported', async () => {
    using lab = createGitLab()
    const { reason, message } = await conditionAt(lab, garbage, { scheme })
    expect(['FetchFailed', 'Unreachable', 'HostKeyRejected']).toContain(reason)
    expect(message).toMatch(new RegExp(`^${scheme}://.*: \\S.*$`))
  })

  test('that sends garbage without end is given up', async () => {
    using lab = createGitLab()
    const endless: Behaviour = socket => endlessReferences(socket.resume())
    const { reason } = await conditionAt(lab, endless, { scheme })
    expect(['FetchFailed', 'Unreachable', 'TooLarge', 'TimedOut']).toContain(reason)
  })
})

test('a server that lists references without end takes no more memory than a listing may', async () => {
  using lab = createGitLab()
  const { reason, message } = await conditionAt(lab, endlessReferences, { command: 60_000, memory: 64 * 1024 ** 2 })
  expect([reason, message]).toEqual([
    'TooLarge',
    expect.stringMatching(/^git:.*; the repository is larger than Reeve takes/),
  ])
})

/** Passes everything on to another server. */
function passTo(server: GitServer): Behaviour {
  const port = Number(new URL(server.url).port)
  return socket => {
    const other = connect(port, '127.0.0.1')
    other.on('error', () => socket.destroy())
    socket.pipe(other).pipe(socket)
  }
}

describe('after a listing as usual, a server', () => {
  test.each<[title: string, behave: Behaviour, reason: string]>([
    ['that says nothing more is given up', mute, 'TimedOut'],
    ['that sends a pack without end is given up', endlessPack, 'TooLarge'],
    ['that sends garbage is reported', socket => socket.end('garbage'), 'FetchFailed'],
    ['that ends is reported', socket => socket.end(), 'Unreachable'],
  ])('%s, and what was in force stays', async (_title, behave, reason) => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'good' })
    let isHostile = false
    await using daemon = await serveByDaemon(lab)
    const [well, hostile] = [passTo(daemon), afterListing(behave)]
    await using server = await serveHostilely(socket => (isHostile ? hostile(socket) : well(socket)))
    const source = lab.open({ url: server.url, limits })
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason: 'UpToDate' })
    isHostile = true
    await source.sync(noSignal)
    expect(source.status().condition).toMatchObject({ reason })
    expect(lab.read('web.yaml')).toBe('good')
    isHostile = false
    lab.commit({ 'web.yaml': 'better' })
    await source.sync(noSignal)
    expect(lab.read('web.yaml')).toBe('better')
    expect(readdirSync(join(lab.sourceDirectory, 'git')).sort()).toEqual(['home', 'repository.git'])
  })
})
