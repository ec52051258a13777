import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type Outcome, openCliFixture, type Running, reevePath, sleeper } from '../labs/cli-fixture.ts'
import { type FreshHost, openFreshHost } from '../labs/fresh-host.ts'
import { createGitLab, type SshServer, serveByHttps, serveBySsh } from '../labs/git-lab.ts'
import { asUser, nobody, scanFamilies } from '../labs/scan-lab.ts'
import { createSigningKeys } from '../labs/signing-keys.ts'
import { has } from '../runner/requirements.ts'

const publicKey = ({ stdout }: Running): string => /^ssh-ed25519 \S+ reeve@\S+/m.exec(stdout())?.[0] ?? ''

const timeout = 180_000

const testWith = (...programs: string[]) => test.skipIf(!['runsvdir', ...programs].every(has))

/** The server of its repository accepts no key yet. */
async function openStranger(): Promise<FreshHost & { readonly server: SshServer }> {
  const host = await openFreshHost()
  const server = await serveBySsh(host.lab)
  onTestFinished(() => server[Symbol.asyncDispose]())
  server.authorize('')
  return { ...host, server }
}

const broken = { 'hosts/shop/web.yaml': sleeper('web').replace('[sleep, "1000"]', '[/bin/false]') }

testWith('/usr/sbin/sshd')(
  'a fresh host asks about the host key, shows a deploy key, and follows the repository once the server accepts it',
  { timeout },
  async () => {
    const { home, lab, server, configuration, files, words, written, bootstrap } = await openStranger()
    const commit = lab.commit(files, { message: 'Add the shop' })
    const begin = (): Running => home.startInTerminal(words(server.url), { env: { NO_COLOR: '1' } })
    const declining = begin()
    await eventually('it asks', () => declining.stdout().includes('[y/N]'))
    expect(declining.stdout()).toContain(`ssh-ed25519 ${server.fingerprint}`)
    declining.child.stdin?.write('\x03')
    expect(await declining.ended).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('Nothing was changed.'),
    })
    expect([written(), readFileSync(home.path('reeve.yaml'), 'utf8')]).toEqual([[], configuration])

    const running = begin()
    await eventually('it asks', () => running.stdout().includes('[y/N]'))
    running.child.stdin?.write('y\r')
    await eventually('it waits', () => running.stdout().includes('Waiting: AuthenticationFailed'))
    expect(statSync(home.path('deploy-key')).mode & 0o777).toBe(0o600)
    server.authorize(publicKey(running))
    const { exitCode, stdout } = await running.ended
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toContain(`The repository can be read: ${commit.slice(0, 12)} Add the shop`)
    expect(stdout).toMatch(/^Outcome +healthy since /m)
    expect(stdout).toContain('This host follows the repository.')
    expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toBe(
      `${configuration}source:\n  git:\n    url: ${server.url}\n    path: hosts/shop\n    auth:\n      sshKey: deploy-key\n      knownHosts: known-hosts\n`,
    )
    const web = (await home.status('web'))?.pid
    const times = (): number[] =>
      ['deploy-key', 'deploy-key.pub', 'known-hosts', 'reeve.yaml'].map(name => statSync(home.path(name)).mtimeMs)
    const before = times()

    const again = await bootstrap(server.url)
    expect(again, again.stderr).toMatchObject({ exitCode: 0, stderr: '' })
    expect(again.stdout).toContain('Nothing was changed: this host follows the repository already.')
    expect(again.stdout).not.toContain('ssh-ed25519')
    expect((await home.status('web'))?.pid).toBe(web)
    expect(times()).toEqual(before)
  },
)

testWith('/usr/sbin/sshd')(
  'without a terminal the fingerprint is an option, and an interrupted run is resumed with the same key',
  { timeout },
  async () => {
    const { home, lab, server, configuration, files, words, written, bootstrap, follow } = await openStranger()
    lab.commit(files)
    const mute = await bootstrap(server.url)
    expect(mute.exitCode).toBe(1)
    expect(mute.stderr).toContain(`run this again with --accept-host-key ${server.fingerprint}`)
    const other = `SHA256:${'A'.repeat(43)}`
    const wrong = await bootstrap(server.url, '--accept-host-key', other)
    expect(wrong.stderr).toContain(`no host key of 127.0.0.1`)
    expect(wrong.stderr).toContain(server.fingerprint)
    expect(written()).toEqual([])
    const known = (file: string): Promise<Outcome> => bootstrap(server.url, '--known-hosts', file)
    expect((await known('none')).stderr).toContain(`none has no host key of 127.0.0.1, port `)
    expect((await known(server.wrong.knownHosts)).stderr).toContain('Host key verification failed')
    expect(written()).toEqual(['deploy-key', 'deploy-key.pub', 'state'])

    const accept = ['--accept-host-key', server.fingerprint]
    const running = home.start(words(server.url, ...accept))
    await eventually('it waits', () => running.stderr().includes('Waiting: AuthenticationFailed'))
    running.child.kill('SIGINT')
    const interrupted = await running.ended
    expect(interrupted.exitCode).toBe(1)
    expect(interrupted.stderr).toContain('interrupted; run the command again to go on from here')
    expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toBe(configuration)

    const late = await bootstrap(server.url, '--timeout', '1s')
    expect(late.stderr).toContain('given up after 1s')
    expect(late.stderr).toContain('Permission denied (publickey)')
    expect(late.stdout).toContain(publicKey(running))

    const replaced = await bootstrap(server.url, '--accept-host-key', other)
    expect(replaced.stderr).toContain(`has another host key of 127.0.0.1, port `)
    server.authorize(publicKey(running))
    await follow(server.url)
  },
)

testWith()('a local repository needs no keys; what is wrong with it is said first', { timeout }, async () => {
  const { home, lab, configuration, files, written, bootstrap, follow } = await openFreshHost()
  const fail = async (...args: string[]): Promise<string> => {
    const { exitCode, stderr } = await bootstrap(...args)
    expect(exitCode).toBe(1)
    expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toBe(configuration)
    return stderr
  }
  expect(await fail(lab.upstream)).toContain('If the repository is empty, push a first commit to it')
  lab.commit({ 'README.md': 'Nothing yet' })
  expect(await fail(lab.upstream)).toMatch(/has no directory hosts\/shop; .*, or name another directory with --path/)
  expect(await fail(lab.upstream, '--branch', 'next')).toMatch(/has no branch next\. .* name another one with --branch/)
  expect(await fail('/nowhere/hosts.git')).toContain('does not appear to be a git repository')
  expect(await fail(lab.upstream, '--token-file', 'x')).toContain('--token-file is for https URLs only')
  expect(written()).toEqual(['state'])

  lab.commit(files)
  const plan = await home.succeed(['sync', '--config', 'reeve.yaml']).catch(() => '')
  expect(plan).toBe('')
  await follow(lab.upstream, '--branch', 'main')
  expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toBe(
    `${configuration}source:\n  git:\n    url: ${lab.upstream}\n    branch: main\n    path: hosts/shop\n`,
  )
  const refused = await bootstrap('/srv/other.git')
  expect(refused.stderr).toContain(`has source.git.url: ${lab.upstream}, not /srv/other.git`)
})

testWith()('a first revision that is not healthy fails, with the cause', { timeout }, async () => {
  const { home, lab, files, words, bootstrap } = await openFreshHost()
  lab.commit({ ...files, ...broken })
  const { exitCode, stdout, stderr } = await bootstrap(lab.upstream)
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/not ready web: .*exit/)
  expect(stderr).toContain('The newest revision is not healthy. The controller goes on: see reeve status.')
  expect(stdout).toMatch(/^Outcome +failed since /m)
  expect(stdout).toMatch(/^web +process +/m)
  lab.commit(files)
  expect(await home.succeed(words(lab.upstream))).toContain('this host follows the repository')
})

testWith()(
  'a revision that was rolled back is not tried again, whether the controller runs or is installed anew',
  { timeout },
  async () => {
    const { home, lab, files, bootstrap, follow } = await openFreshHost()
    lab.commit(files)
    await follow(lab.upstream)
    const bad = lab.commit(broken)
    await home.reeve(['sync', '--wait'])
    const web = (await home.status('web'))?.pid
    expect(web).toBeGreaterThan(0)
    const expectRolledBack = async (): Promise<void> => {
      const { exitCode, stdout, stderr } = await bootstrap(lab.upstream)
      expect(exitCode, stdout + stderr).toBe(1)
      expect(stdout).toMatch(new RegExp(`^Outcome +${bad.slice(0, 12)} .*: rolled back since `, 'm'))
      expect(stderr).toContain('The newest revision is not healthy.')
      expect((await home.status('web'))?.pid).toBe(web)
    }
    await expectRolledBack()
    await home.succeed(['uninstall', '--yes'])
    await expectRolledBack()
  },
)

testWith()('on a host in report mode only the controller is installed', { timeout }, async () => {
  const { home, lab, configuration, files, words } = await openFreshHost()
  lab.commit(files)
  home.write('reeve.yaml', `${configuration}mode: report\n`)
  expect(await home.succeed(words(lab.upstream))).toContain('This host is in report mode: nothing of the revision is')
  expect(await home.status('web')).toMatchObject({ state: 'absent', pending: 'to do: install, enable, start' })
  expect(await home.succeed(['uninstall', '--yes'])).toContain('1 removed')
  home.write('reeve.yaml', configuration)
})

test.skipIf(!has('runsvdir') || !has('/usr/sbin/sshd') || process.geteuid?.() !== 0)(
  'without root and without a host configuration, all is written to the home of the user',
  { timeout },
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'reeve-home-'))
    onTestFinished(() => rmSync(home, { recursive: true, force: true }))
    chownSync(home, nobody, nobody)
    const [runit] = scanFamilies
    if (!runit) throw new Error('no runit')
    const supervisor = await runit.userHarness.setUp(home)
    onTestFinished(() => supervisor.tearDown())
    const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'mine' } }
    const options = { ...supervisor.options, owner: 'nobody' }
    using lab = createGitLab()
    lab.commit({
      'web.yaml': sleeper('web'),
      'runit.yaml': JSON.stringify({ ...manifest, spec: { type: 'runit', runit: options } }),
    })
    // The server accepts the key as soon as it is there.
    await using server = await serveBySsh(lab, { authorized: join(home, '.config/reeve/deploy-key.pub') })
    const reeve = (...args: string[]) => {
      const [program = '', ...words] = asUser([process.execPath, reevePath, ...args])
      return spawnSync(program, words, { cwd: home, env: { HOME: home, PATH: process.env.PATH }, encoding: 'utf8' })
    }
    onTestFinished(() => void [reeve('uninstall', '--yes'), reeve('down', '--yes')])
    const accept = ['--accept-host-key', server.fingerprint]
    const { stdout, stderr } = reeve('bootstrap', server.url, '--supervisor', 'mine', ...accept)
    expect(stdout, stderr).toContain('This host follows the repository.')
    expect(readFileSync(join(home, '.config/reeve/reeve.yaml'), 'utf8')).toMatch(/^# Written by reeve bootstrap/)
    const facts = statSync(join(home, '.config/reeve/deploy-key'))
    expect([facts.uid, facts.mode & 0o777]).toEqual([nobody, 0o600])
    expect(JSON.parse(reeve('status', '-o', 'json').stdout).facilities).toMatchObject([
      { name: 'web', state: 'running' },
    ])
  },
)

test('--dry-run shows what it would write and do, and writes nothing', async () => {
  const home = openCliFixture()
  const [before, configuration] = [readdirSync(home.directory), readFileSync(home.path('reeve.yaml'), 'utf8')]
  const { stdout, stderr } = await home.reeve(['bootstrap', 'git@example.invalid:hosts.git', '--dry-run'])
  expect(stdout).toContain(`A deploy key would be made: ${home.path('deploy-key')}.`)
  expect(stdout).toContain('+    url: git@example.invalid:hosts.git')
  expect(stdout + stderr).toMatch(/Supervisor \w+: .*\n\+ reeve|expected a supervisor that can run the controller/)
  expect([readdirSync(home.directory), readFileSync(home.path('reeve.yaml'), 'utf8')]).toEqual([before, configuration])
})

testWith('openssl')(
  'a private repository over HTTPS needs a token file, and --signers accepts signed commits only',
  { timeout },
  async () => {
    const { home, lab, configuration, files, bootstrap, follow } = await openFreshHost()
    await using server = await serveByHttps(lab)
    server.setToken('x-access-token:s3cret')
    // An authority of one's own is a matter of the host configuration.
    home.write(
      'reeve.yaml',
      `${configuration}source: { git: { url: "${server.url}", path: hosts/shop, auth: { ca: ${server.ca} } } }\n`,
    )
    lab.commit(files)
    expect((await bootstrap(server.url)).stderr).toContain('name a file that holds it with --token-file')
    home.write('token', 's3cret\n')
    const keys = createSigningKeys(lab)
    const ada = keys.addSsh('ada')
    const signed = [server.url, '--token-file', 'token', '--signers', keys.signers]
    expect((await bootstrap(...signed)).stderr).toMatch(/is not signed/)
    lab.commit({}, { signer: ada })
    await follow(...signed)
    expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toContain(`verify: { signers: ${keys.signers} }`)
    expect(existsSync(home.path('deploy-key'))).toBe(false)
  },
)
