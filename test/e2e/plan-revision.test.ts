import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, type Outcome, openCliFixture } from '../labs/cli-fixture.ts'
import { createGitLab, type GitLab, serveBySsh, serveNothing } from '../labs/git-lab.ts'
import { createSigningKeys } from '../labs/signing-keys.ts'

const web = (seconds: number, name = 'web'): string =>
  `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec: { process: { command: [/bin/sleep, "${seconds}"] } }\n`

interface Place {
  readonly fixture: CliFixture
  plan(...args: string[]): Promise<Outcome>
  /** Temporary directories that are left. */
  leftovers(): string[]
}

function openPlace(source = ''): Place {
  const fixture = openCliFixture()
  mkdirSync(fixture.path('tmp'))
  fixture.write('reeve.yaml', `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\n${source}`)
  return {
    fixture,
    plan: (...args) => fixture.reeve(['plan', ...args], { env: { TMPDIR: fixture.path('tmp') } }),
    leftovers: () => readdirSync(fixture.path('tmp')),
  }
}

const follow = (url: string, more = ''): Place =>
  openPlace(
    `source: { git: { url: "${url}", branch: main, path: hosts/shop${more} } }\nrollout: { minHealthyTime: 0s }\n`,
  )

/** Every entry below a directory, with its size and time. */
function listing(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map(name => ({ name, facts: lstatSync(join(directory, name)) }))
    .map(({ name, facts }) => `${name} ${facts.size} ${facts.mtimeMs}`)
    .sort()
}

/** Main has one commit, which is in force; branch `longer` changes it. */
async function openRollout(more?: string): Promise<Place & { lab: GitLab; first: string; second: string }> {
  const lab = createGitLab()
  const first = lab.commit({ 'hosts/shop/web.yaml': web(1000), 'README.md': 'x' })
  const place = follow(lab.upstream, more)
  await place.fixture.succeed(['apply'])
  const second = lab.commit(
    { 'hosts/shop/web.yaml': web(2000), 'hosts/shop/db.yaml': web(3000, 'db') },
    { branch: 'longer' },
  )
  return { ...place, lab, first, second }
}

/** Starts a program that the repository brings beside the manifest. */
const own = web(1000).replace('command: [/bin/sleep', 'workingDirectory: bin, command: [./serve')

const serve = '#!/bin/sh\nexec sleep "$1"\n'

function commitOwn(lab: GitLab): void {
  lab.commit({ 'hosts/shop/bin/serve': serve })
  chmodSync(join(lab.directory, 'work/hosts/shop/bin/serve'), 0o755)
  lab.commit({ 'hosts/shop/web.yaml': own })
}

describe('relative paths are planned as they are once in force (E17):', () => {
  test('of a first revision, and of one that brings what they lead to', async () => {
    using lab = createGitLab()
    lab.commit({ 'hosts/shop/web.yaml': web(1000) })
    const { fixture, plan } = follow(lab.upstream)
    await fixture.succeed(['apply'])
    commitOwn(lab)
    const fresh = follow(lab.upstream)
    for (const [place, result] of [
      [{ fixture, plan }, 'Plan: 0 to add, 1 to change, '],
      [fresh, 'Plan: 1 to add, 0 to change, '],
    ] as const) {
      const { stdout, exitCode } = await place.plan('--revision', 'main')
      expect(stdout).toContain(`"workingDirectory": "${place.fixture.path('state/source/current/bin')}"`)
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining(result) })
      await place.fixture.succeed(['apply'])
      expect((await place.plan('--revision', 'main')).stdout).toContain('No changes.')
    }
  })

  test('of --source, wherever this host has its manifests', async () => {
    using lab = createGitLab()
    commitOwn(lab)
    const source = ['--source', `${lab.upstream}#main:hosts/shop`]
    const fresh = openPlace()
    expect((await fresh.plan(...source)).stdout).toContain(`"${fresh.fixture.path('state/source/current/bin')}"`)
    const { fixture, plan } = openPlace('manifests: declared\n')
    mkdirSync(fixture.path('declared/bin'), { recursive: true })
    fixture.write('declared/web.yaml', own)
    fixture.write('declared/bin/serve', serve)
    chmodSync(fixture.path('declared/bin/serve'), 0o755)
    await fixture.succeed(['apply'])
    expect((await plan(...source)).stdout).toContain('No changes.')
  })
})

describe('reeve plan --revision', () => {
  test('plans a branch, tag or commit of the followed repository, and writes nothing at all (E2)', async () => {
    const { lab, second, fixture, plan, leftovers } = await openRollout()
    using _lab = lab
    lab.git('tag', '--annotate', '--message', 'x', 'v2')
    lab.git('push', '--quiet', 'origin', 'v2')
    const before = listing(fixture.path('state'))
    for (const revision of ['longer', 'v2', second, second.slice(0, 8), 'refs/heads/longer']) {
      const { exitCode, stdout, stderr } = await plan('--revision', revision)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: `Plan for commit ${second.slice(0, 12)}.\n` })
      expect(stdout).toMatch(/\+ db [\s\S]*~ web [\s\S]*\n {6}\+ .*2000[\s\S]*Plan: 1 to add, 1 to change, /)
    }
    expect((await plan('--revision', 'main')).stdout).toMatch(/^No changes\. /)
    const compared = await plan('--revision', 'longer', '--against', 'revision:main')
    expect(compared.stdout).toMatch(/^\+ db [\s\S]*\n~ web [\s\S]*Plan: 1 to add, 1 to change, /)
    expect(compared.stderr).toMatch(/\nCompared with commit [0-9a-f]{12}; no host was looked at\.\n/)
    expect(listing(fixture.path('state'))).toEqual(before)
    expect(leftovers()).toEqual([])
  })

  test('E17: says what apply then does', async () => {
    const { lab, second, fixture, plan } = await openRollout()
    using _lab = lab
    const planned = JSON.parse((await plan('--revision', 'longer', '-o', 'json')).stdout)
    lab.git('push', '--quiet', 'origin', `${second}:main`)
    await fixture.succeed(['sync'])
    expect(JSON.parse((await plan('-o', 'json')).stdout)).toEqual(planned)
    const done = JSON.parse(await fixture.succeed(['apply', '-o', 'json']))
    const { plan: carriedOut, stepsDone } = done
    expect(carriedOut.facilities).toEqual(planned.facilities)
    expect(stepsDone).toBe(planned.facilities.flatMap(({ steps }: { steps: [] }) => steps).length)
    expect(done).toMatchObject({ failed: [], undone: [] })
  })

  test('plans a commit that was fetched before without asking the server', async () => {
    const { lab, first, second, fixture, plan } = await openRollout()
    using _lab = lab
    lab.git('push', '--quiet', 'origin', `${second}:main`)
    await fixture.succeed(['apply'])
    renameSync(lab.upstream, `${lab.upstream}.gone`)
    expect((await plan('--revision', first)).stdout).toMatch(/- db [\s\S]*~ web [\s\S]*, 1 to remove, /)
    expect(await plan('--revision', 'longer')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^reeve: revision longer: .*not appear to be a git repository/),
    })
  })

  test('shows the plan of a commit that is not trusted, says so, and fails', async () => {
    using lab = createGitLab()
    const keys = createSigningKeys(lab)
    const signer = keys.addSsh('ada')
    lab.commit({ 'hosts/shop/web.yaml': web(1000) }, { signer })
    const { fixture, plan } = follow(lab.upstream, `, verify: { signers: ${keys.signers} }`)
    await fixture.succeed(['apply'])
    const unsigned = lab.commit({ 'hosts/shop/web.yaml': web(2000) }, { branch: 'longer' })
    const covered = lab.commit({}, { branch: 'longer', signer })
    for (const revision of [unsigned, covered]) {
      const { exitCode, stdout, stderr } = await plan('--revision', revision)
      expect(stdout).toMatch(/^~ web /)
      expect(stderr).toContain(
        `commit ${unsigned.slice(0, 12)} (Change manifests, by Ada Author <ada@example.org>) is not trusted: `,
      )
      expect(stderr).toContain('this host would not apply it')
      expect(exitCode).toBe(1)
    }
    const signed = lab.commit({}, { branch: 'main', isForced: true, signer })
    lab.git('reset', '--quiet', '--hard', `${unsigned}~1`)
    const good = lab.commit({ 'hosts/shop/web.yaml': web(4000) }, { branch: 'good', signer })
    expect(await plan('--revision', good)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^~ web /) })
    expect(signed).not.toBe(good)
  })

  test('names files of an invalid commit as the repository does', async () => {
    const { lab, plan } = await openRollout()
    using _lab = lab
    lab.commit({ 'hosts/shop/web.yaml': `${web(1)}  nonsense: 1\n` }, { branch: 'broken' })
    const { exitCode, stdout, stderr } = await plan('--revision', 'broken')
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/^hosts\/shop\/web\.yaml:/m)
    expect(stderr).not.toContain('/tmp/')
  })

  test('refuses names that lead to no commit', async () => {
    using lab = createGitLab()
    lab.commit({ 'hosts/shop/web.yaml': web(1000) })
    const { plan, leftovers } = follow(lab.upstream)
    for (const [revision, message] of [
      ['nowhere', /has no branch or tag nowhere/],
      ['1234567', /has no branch, tag or commit 1234567/],
      ['main~1', /expected a branch, a tag, or a commit by at least 7 digits of its id, found main~1/],
      ['--upload-pack=x', /expected a branch, a tag, or a commit/],
    ] as const) {
      expect(await plan(`--revision=${revision}`)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringMatching(message),
      })
    }
    expect(leftovers()).toEqual([])
  })

  test('reads over SSH with the key of the host, also another repository of the same server', async () => {
    using lab = createGitLab()
    await using server = await serveBySsh(lab)
    lab.commit({ 'hosts/shop/web.yaml': web(1000) })
    const auth = `, auth: { sshKey: ${server.sshKey}, knownHosts: ${server.knownHosts} }`
    const { plan } = follow(server.url, auth)
    expect((await plan('--revision', 'main')).stdout).toMatch(/^\+ web /)
    expect((await plan('--source', `${server.url}#main:hosts/shop`)).stdout).toMatch(/^\+ web /)
  })

  test('ends at SIGINT, and removes its temporary copy', async () => {
    let isConnected = false
    await using server = await serveNothing(() => {
      isConnected = true
    })
    const { fixture, leftovers } = openPlace(`source: { git: { url: "${server.url}" } }\n`)
    const running = fixture.start(['plan', '--revision', 'main'], { env: { TMPDIR: fixture.path('tmp') } })
    await eventually('git to connect', () => isConnected)
    expect(leftovers()).toHaveLength(1)
    running.child.kill('SIGINT')
    expect(await running.ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Stopping.') })
    expect(leftovers()).toEqual([])
  })
})

describe('reeve plan --source', () => {
  test('plans a directory of any repository, on a host that follows none', async () => {
    using lab = createGitLab()
    lab.commit({ 'hosts/shop/web.yaml': web(1000) })
    lab.commit({ 'hosts/shop/web.yaml': web(2000) }, { branch: 'fix-#12' })
    const { plan, leftovers } = openPlace()
    const shown = async (source: string): Promise<string> => (await plan('--source', source)).stdout
    expect(await shown(`${lab.upstream}#fix-#12:hosts/shop`)).toMatch(/^\+ web [\s\S]*2000/)
    expect(await shown(`${lab.upstream}#:hosts`)).toMatch(/^\+ web [\s\S]*1000/)
    expect(await shown(lab.upstream)).toMatch(/^\+ web [\s\S]*1000/)
    expect(leftovers()).toEqual([])
  })

  test.each([
    [['--source', '/x#main', '--revision', 'main'], /--revision and --source both name a commit/],
    [['manifests', '--source', '/x#main'], /--source and DIR both name a manifests directory/],
    [['--source', '/x#main', '--out', 'x.json'], /--out saves a plan for reeve apply/],
    [['--source', '/x#main:../y'], /must stay below the repository's top/],
    [['--source', 'ext::sh -c x'], /--source: a URL holds no spaces/],
  ])('%j is refused', async (args, message) => {
    const { plan } = openPlace()
    expect(await plan(...args)).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringMatching(message) })
  })
})

describe('in a checkout, reeve plan --revision', () => {
  const git = (directory: string, ...args: string[]): string =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
      encoding: 'utf8',
    }).trim()

  function openCheckout(): Place {
    const place = openPlace()
    const directory = place.fixture.directory
    git(directory, 'init', '--quiet', '--initial-branch=main')
    for (const seconds of [1000, 2000]) {
      place.fixture.write('manifests/web.yaml', web(seconds))
      git(directory, 'add', 'manifests')
      git(directory, 'commit', '--quiet', '--message', `Sleep ${seconds}`)
    }
    place.fixture.write('manifests/web.yaml', web(3000))
    return place
  }

  test('plans a commit of it, by any name, and leaves it alone', async () => {
    const { fixture, plan, leftovers } = openCheckout()
    git(fixture.directory, 'update-ref', 'refs/remotes/origin/old', 'HEAD~1')
    const before = listing(fixture.path('.git'))
    expect((await plan('--revision', 'HEAD')).stdout).toContain('"2000"')
    expect((await plan('--revision', 'main~1', 'manifests')).stdout).toContain('"1000"')
    expect((await plan('--revision', 'old')).stdout).toContain('"1000"')
    expect((await plan()).stdout).toContain('"3000"')
    expect((await plan('--revision', 'nowhere')).stderr).toMatch(/has no commit nowhere: fetch it first/)
    expect(listing(fixture.path('.git'))).toEqual(before)
    expect(leftovers()).toEqual([])
  })

  test('plans one of a linked working tree and of a shallow clone', async () => {
    const { fixture, plan } = openCheckout()
    git(fixture.directory, 'worktree', 'add', '--quiet', '--detach', 'linked', 'HEAD~1')
    expect((await plan('--revision', 'HEAD', 'linked/manifests')).stdout).toContain('"1000"')
    git(fixture.directory, 'clone', '--quiet', '--depth=1', `file://${fixture.directory}`, 'shallow')
    expect((await plan('--revision', 'HEAD', 'shallow/manifests')).stdout).toContain('"2000"')
    git(fixture.directory, 'clone', '--quiet', '.', 'odd:"name\\')
    expect((await plan('--revision', 'HEAD~1', 'odd:"name\\/manifests')).stdout).toContain('"1000"')
  })

  test('says what a partial clone lacks, and fetches nothing through it', async () => {
    const { fixture, plan } = openCheckout()
    git(fixture.directory, 'config', 'uploadpack.allowFilter', 'true')
    git(fixture.directory, 'clone', '--quiet', '--filter=blob:none', `file://${fixture.directory}`, 'partial')
    expect((await plan('--revision', 'HEAD', 'partial/manifests')).stdout).toContain('"2000"')
    expect(await plan('--revision', 'HEAD~1', 'partial/manifests')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/partial lacks 1 file of it, as a partial clone does: clone it without --filter/),
    })
  })

  test('runs nothing that the configuration of the checkout names', async () => {
    const { fixture, plan } = openCheckout()
    writeFileSync(fixture.path('trap'), `#!/bin/sh\ntouch ${fixture.path('sprung')}\n`, { mode: 0o755 })
    for (const setting of ['core.fsmonitor', 'core.pager', 'core.sshCommand', 'core.hooksPath', 'core.askPass'])
      git(fixture.directory, 'config', setting, fixture.path('trap'))
    expect((await plan('--revision', 'HEAD')).stdout).toContain('"2000"')
    // Git fetches from a promisor what is missing.
    for (const [name, value] of [
      ['promisor', 'true'],
      ['url', 'ssh://nowhere/x'],
      ['partialCloneFilter', 'blob:none'],
    ] as const)
      git(fixture.directory, 'config', `remote.origin.${name}`, value)
    git(fixture.directory, 'config', 'core.repositoryFormatVersion', '1')
    git(fixture.directory, 'config', 'extensions.partialClone', 'origin')
    expect((await plan('--revision', '1'.repeat(40))).stderr).toMatch(/has no commit 1111/)
    expect(readdirSync(fixture.directory)).not.toContain('sprung')
  })

  test('without a checkout and a source, says what to name', async () => {
    const { plan } = openPlace()
    expect(await plan('--revision', 'main')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/is in no checkout, and the host configuration names no source\.git/),
    })
  })
})
