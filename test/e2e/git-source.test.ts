import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { status as isStatusReport } from '#schemas/compiled/status.js'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture, reevePath } from '../labs/cli-fixture.ts'
import { createGitLab, type GitLab, serveNothing } from '../labs/git-lab.ts'
import { findFreePort } from '../tools/free-port.ts'

const web = (seconds: number): string =>
  `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: web }\nspec: { process: { command: [/bin/sleep, "${seconds}"] } }\n`

interface Place {
  readonly fixture: CliFixture
  /** Pid of the running service; empty: none runs. */
  command(): Promise<string>
}

/** Fixture whose host configuration follows the repository; the interval of an hour is longer than any test. */
function follow(lab: GitLab): Place {
  const fixture = openCliFixture()
  fixture.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { git: { url: "${lab.upstream}", branch: main, interval: 1h } }\n`,
  )
  return { fixture, command: commandIn(fixture) }
}

function commandIn(fixture: CliFixture): Place['command'] {
  return async () => {
    const { stdout } = await fixture.reeve(['--config', 'reeve.yaml', 'status', '-o', 'json'])
    // While the controller starts, it may not answer.
    const { facilities = [] } = stdout === '' ? {} : JSON.parse(stdout)
    const pid = facilities.find(({ name }: { name: string }) => name === 'web')?.pid
    return pid ? commandOf(pid) : ''
  }
}

/** Empty: it has ended meanwhile. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

const config = ['--config', 'reeve.yaml']

test('a controller applies each commit that it is notified of', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': web(1000) }, { message: 'Add web' })
  const { fixture, command } = follow(lab)
  const controller = fixture.start([...config, 'run'])
  await eventually('/bin/sleep 1000 to run', async () => (await command()) === '/bin/sleep 1000')

  const second = lab.commit({ 'web.yaml': web(2000) }, { message: 'Sleep longer' })
  expect(await fixture.succeed([...config, 'sync'])).toContain(`${second.slice(0, 12)} Sleep longer (Ada Author`)
  await eventually('/bin/sleep 2000 to run', async () => (await command()) === '/bin/sleep 2000')

  lab.commit({ 'web.yaml': web(3000) })
  controller.child.kill('SIGHUP')
  await eventually('/bin/sleep 3000 to run', async () => (await command()) === '/bin/sleep 3000')

  const fourth = lab.commit({ 'web.yaml': web(4000) }, { message: 'Sleep even longer' })
  await fixture.succeed([...config, 'apply'])
  expect(await command()).toBe('/bin/sleep 4000')
  const report = JSON.parse(await fixture.succeed([...config, 'status', '-o', 'json']))
  expect(isStatusReport(report)).toBe(true)
  expect(report.source).toMatchObject({
    wanted: 'branch main',
    revision: { commit: fourth },
    condition: { reason: 'UpToDate' },
  })
  expect(await fixture.succeed([...config, 'status'])).toMatch(
    new RegExp(
      `^Source {4}${lab.upstream}, branch main\nRevision  ${fourth.slice(0, 12)} Sleep even longer \\(Ada Author`,
    ),
  )
})

test('a rewritten history is refused with a message, and accepted by its commit', async () => {
  using lab = createGitLab()
  const first = lab.commit({ 'web.yaml': web(1000) })
  const { fixture, command } = follow(lab)
  fixture.start([...config, 'run'])
  await eventually('/bin/sleep 1000 to run', async () => (await command()) === '/bin/sleep 1000')
  lab.git('commit', '--quiet', '--amend', '--allow-empty', '--message', 'Another')
  const other = lab.commit({ 'web.yaml': web(2000) }, { isForced: true })
  const refused = await fixture.reeve([...config, 'apply'])
  expect(refused.exitCode).toBe(1)
  expect(refused.stderr).toContain(`if that is meant, run reeve accept ${other.slice(0, 12)}`)
  expect(refused.stderr).toContain(`${first.slice(0, 12)} stays in force; to apply that, run reeve apply --no-fetch`)
  expect(await command()).toBe('/bin/sleep 1000')
  await fixture.succeed([...config, 'apply', '--no-fetch'])
  expect(await command()).toBe('/bin/sleep 1000')

  const wrong = await fixture.reeve([...config, 'accept', first])
  expect(wrong.stderr).toContain('expected the commit that waits to be accepted')
  await fixture.succeed([...config, 'accept', other.slice(0, 8)])
  await eventually('/bin/sleep 2000 to run', async () => (await command()) === '/bin/sleep 2000')
})

test('a push reported by the forge is applied, and metrics name the commit', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': web(1000) })
  const { fixture, command } = follow(lab)
  const port = await findFreePort()
  const secret = 'a secret that the forge was told'
  fixture.write('secret', `${secret}\n`)
  fixture.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nlisten: ${port}\nsource: { git: { url: "${lab.upstream}", interval: 1h, webhook: { secretFile: secret } } }\n`,
  )
  fixture.start([...config, 'run'])
  await expect.poll(command).toBe('/bin/sleep 1000')
  const second = lab.commit({ 'web.yaml': web(2000) })
  const tell = (token: string) =>
    fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST', headers: { 'x-gitlab-token': token }, body: '{}' })
  expect((await tell('guessed')).status).toBe(401)
  expect((await tell(secret)).status).toBe(202)
  await expect.poll(command).toBe('/bin/sleep 2000')
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain(`reeve_revision_info{commit="${second}",outcome="`)
  expect(metrics).toContain('reeve_source_fetches_total{reason="UpToDate"} 2')
  expect(metrics).toMatch(/^reeve_source_last_fetch_timestamp_seconds\{url="[^"]+"\} \d+/m)
})

test('a push to a repository on the host is applied by its post-receive hook', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': web(1000) })
  const { fixture, command } = follow(lab)
  fixture.start([...config, 'run'])
  await expect.poll(command).toBe('/bin/sleep 1000')
  const line = `${process.execPath} ${reevePath} --config ${fixture.path('reeve.yaml')} sync`
  mkdirSync(join(lab.upstream, 'hooks'), { recursive: true })
  writeFileSync(join(lab.upstream, 'hooks/post-receive'), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  lab.commit({ 'web.yaml': web(2000) })
  await expect.poll(command).toBe('/bin/sleep 2000')
})

test('source.link follows a symlink that a publisher swaps', async () => {
  const fixture = openCliFixture()
  for (const seconds of [1000, 2000]) {
    mkdirSync(fixture.path(`commit-${seconds}`), { mode: 0o755 })
    fixture.write(`commit-${seconds}/web.yaml`, web(seconds))
  }
  const publish = (seconds: number): void => {
    symlinkSync(`commit-${seconds}`, fixture.path('next'))
    fixture.rename('next', 'current')
  }
  publish(1000)
  fixture.write(
    'reeve.yaml',
    'apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { link: current }\n',
  )
  fixture.start([...config, 'run'])
  const command = commandIn(fixture)
  await expect.poll(command).toBe('/bin/sleep 1000')
  publish(2000)
  await expect.poll(command).toBe('/bin/sleep 2000')
})

test('without a controller, apply fetches and applies, and plan uses the current revision', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': web(1000) })
  const { fixture, command } = follow(lab)
  const none = await fixture.reeve([...config, 'plan'])
  expect(none.exitCode).toBe(1)
  expect(none.stderr).toContain('no revision of the Git repository has been fetched yet; nothing was changed')
  await fixture.succeed([...config, 'apply'])
  expect(await command()).toBe('/bin/sleep 1000')
  lab.commit({ 'web.yaml': web(2000) })
  expect(await fixture.succeed([...config, 'plan'])).toContain('No changes.')
  const { stdout, stderr } = await fixture.reeve([...config, 'sync'])
  expect(stdout).toContain('Change manifests')
  expect(stderr).toContain('No controller runs: run reeve apply to apply it.')
  expect(await fixture.succeed([...config, 'plan'])).toContain('1 to change')
})

test('sync without a configured repository says what to do', async () => {
  const fixture = openCliFixture()
  const { exitCode, stderr } = await fixture.reeve(['sync'])
  expect(exitCode).toBe(1)
  expect(stderr).toContain('name one with source.git in the host configuration')
})

test('E16: a controller ends at once while the server of its repository says nothing', async () => {
  let isConnected = false
  await using server = await serveNothing(() => {
    isConnected = true
  })
  const fixture = openCliFixture()
  fixture.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { git: { url: "${server.url}" } }\n`,
  )
  const controller = fixture.start([...config, 'run'])
  await eventually('git to connect', () => isConnected)
  const began = performance.now()
  controller.child.kill('SIGTERM')
  expect((await controller.ended).exitCode).toBe(0)
  expect(performance.now() - began).toBeLessThan(5_000)
})

test('S11: a repository cannot write the keys that say whom to trust, whatever policy.files allows', async () => {
  const fixture = openCliFixture()
  fixture.write('signers', '')
  const git = '{ url: /nowhere, verify: { signers: signers } }'
  fixture.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\npolicy: { files: [/] }\nsource: { git: ${git} }\n`,
  )
  const files = `[{ path: ${fixture.path('signers')}, content: x }]`
  fixture.write(
    'manifests/web.yaml',
    `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: web }\nspec: { process: { command: [/bin/sleep, "1000"] }, adopt: true, files: ${files} }\n`,
  )
  const { stdout, stderr } = await fixture.reeve([...config, 'plan', '--manifests', 'manifests'])
  expect(stdout + stderr).toMatch(/Reeve itself reads or keeps it/)
})
