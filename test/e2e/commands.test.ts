import { spawnSync } from 'node:child_process'
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { isAlive, openCliFixture, sleeper } from '../labs/cli-fixture.ts'

// Every command as a user types it, on the built program: its output, on which stream, and its exit code.

const broken = `apiVersion: reeve/v1
kind: Facility
metadata: { name: web }
spec:
  procces: { command: [sleep, "1000"] }
`

function lost(name: string, program: string): string {
  return `apiVersion: reeve/v1
kind: Facility
metadata: { name: ${name} }
spec:
  process: { command: [${program}] }
`
}

describe('validate', () => {
  test('reports the number of valid facilities', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web'), 'db.yaml': sleeper('db') })
    const { exitCode, stdout, stderr } = await home.reeve(['validate'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/^2 facilities in .*manifests: valid\.\n$/)
  })

  test('fails, with file, line, column, excerpt and the likely key on stderr', async () => {
    const home = openCliFixture({ 'web.yaml': broken })
    const { exitCode, stdout, stderr } = await home.reeve(['validate'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('manifests/web.yaml:5:3')
    expect(stderr).toContain('procces: { command')
    expect(stderr).toMatch(/did you mean "?process/)
    expect(stderr).toMatch(/1 error\n$/)
  })

  test('-o json gives the same for programs', async () => {
    const home = openCliFixture({ 'web.yaml': broken })
    const { exitCode, stdout } = await home.reeve(['validate', '-o', 'json'])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, diagnostics: [{ line: 5, column: 3, severity: 'error' }] })
  })

  test('--host warns of missing start needs on this host', async () => {
    const home = openCliFixture({ 'web.yaml': lost('web', '/nowhere/web'), 'db.yaml': sleeper('db') })
    expect(await home.reeve(['validate'])).toMatchObject({ exitCode: 0, stderr: '' })
    const { exitCode, stdout, stderr } = await home.reeve(['validate', '--host'])
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^2 facilities in .*: valid\.\n$/),
    })
    expect(stderr).toContain('manifests/web.yaml:3:19')
    expect(stderr).toContain('facility web cannot start on this host: there is no program /nowhere/web')
    expect(stderr).toMatch(/1 warning\n$/)
    const json = JSON.parse((await home.reeve(['validate', '--host', '-o', 'json'])).stdout)
    expect(json).toMatchObject({ valid: true, diagnostics: [{ severity: 'warning', code: 'cannot-start' }] })
  })

  test('E9: a missing directory is an error, not an empty set', async () => {
    const home = openCliFixture()
    const { exitCode, stderr } = await home.reeve(['validate', 'nowhere'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('nowhere')
  })
})

describe('plan', () => {
  test('PITFALLS 17: text, JSON, saved file and exit code agree, before and after apply', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const text = await home.reeve(['plan', '--detailed-exitcode', '--out', 'next.json'])
    expect(text.exitCode).toBe(2)
    expect(text.stdout).toMatch(/^\+ web \(process\)\n/)
    expect(text.stdout).toMatch(/\nPlan: 1 to add, 0 to change, 0 to repair, 0 to remove, 0 unchanged\.\n$/)
    const json = await home.reeve(['plan', '--detailed-exitcode', '-o', 'json'])
    expect(json.exitCode).toBe(2)
    expect(JSON.parse(json.stdout).summary).toMatchObject({ add: 1, unchanged: 0 })
    const saved: unknown = JSON.parse(readFileSync(home.path('next.json'), 'utf8'))
    expect(saved).toEqual({ ...JSON.parse(json.stdout), manifests: home.path('manifests') })
    expect(statSync(home.path('next.json')).mode & 0o777).toBe(0o600)
    expect((await home.reeve(['plan'])).exitCode).toBe(0)

    await home.succeed(['apply'])
    const after = await home.reeve(['plan', '--detailed-exitcode'])
    expect(after).toMatchObject({ exitCode: 0, stdout: 'No changes. 1 facility is as declared.\n', stderr: '' })
  })

  test('a certain failure is predicted in text, JSON and exit code, and a running service is left alone', async () => {
    const home = openCliFixture({ 'web.yaml': lost('web', '/nowhere/web') })
    const first = await home.reeve(['plan'])
    expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Plan: 1 to add') })
    expect(first.stderr).toContain('facility web cannot start on this host: there is no program /nowhere/web')
    home.write('manifests/web.yaml', sleeper('web'))
    await home.succeed(['apply'])
    const before = await home.status('web')

    home.write('manifests/web.yaml', lost('web', '/nowhere/web'))
    const planned = await home.reeve(['plan', '--detailed-exitcode'])
    expect(planned.exitCode).toBe(1)
    expect(planned.stdout).toContain('1 facility is blocked:\n  web (process)\n')
    expect(planned.stdout.replace(/\s+/g, ' ')).toContain(
      'there is no program /nowhere/web. The service goes on as it is',
    )
    expect(planned.stdout).toMatch(/\nNo changes\. 0 facilities are as declared, 1 is blocked\.\n$/)
    const json = JSON.parse((await home.reeve(['plan', '-o', 'json'])).stdout)
    expect(json).toMatchObject({ summary: { blocked: 1, unchanged: 0 }, facilities: [{ steps: [] }] })
    const applied = await home.reeve(['apply'])
    expect(applied.exitCode).toBe(1)
    expect(applied.stderr).toContain('there is no program /nowhere/web')
    const restarted = await home.reeve(['restart', 'web'])
    expect(restarted).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('there is no program /nowhere/web'),
    })
    expect(await home.status('web')).toMatchObject({ state: 'running', pid: before?.pid })
  })

  test('S4: a saved plan is readable by its owner only, even if it replaces another file', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    home.write('next.json', 'what was there')
    linkSync(home.path('next.json'), home.path('other-name'))
    symlinkSync('next.json', home.path('latest'))
    await home.succeed(['plan', '--out', 'latest'])
    expect(statSync(home.path('next.json')).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(home.path('next.json'), 'utf8'))).toHaveProperty('digest')
    expect(lstatSync(home.path('latest')).isSymbolicLink()).toBe(true)
    expect(readFileSync(home.path('other-name'), 'utf8')).toBe('what was there')
    spawnSync('mkfifo', [home.path('pipe')])
    const [piped] = await Promise.all([readFile(home.path('pipe'), 'utf8'), home.succeed(['plan', '--out', 'pipe'])])
    expect(piped).toContain('"digest"')
    const failed = await home.reeve(['plan', '--out', 'nowhere/next.json'])
    expect(failed).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^reeve: the plan could not be saved: /),
    })
    expect(readdirSync(home.directory).filter(name => name.startsWith('.'))).toEqual([])
  })

  test('an invalid file fails the plan, also with --detailed-exitcode', async () => {
    const home = openCliFixture({ 'web.yaml': broken })
    const { exitCode, stderr } = await home.reeve(['plan', '--detailed-exitcode', '--out', 'next.json'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('web.yaml:5:3')
    expect(() => statSync(home.path('next.json'))).toThrow()
  })
})

describe('apply', () => {
  test('prints each step on stderr and the summary on stdout; a second run has no steps', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web', '  enabled: false\n') })
    const first = await home.reeve(['apply'])
    expect(first).toMatchObject({
      exitCode: 0,
      stdout: 'Done: 1 added, 0 changed, 0 repaired, 0 removed, 0 unchanged.\n',
    })
    expect(first.stderr).toMatch(/^web: started \(.*\)$/m)
    const pid = (await home.status('web'))?.pid
    const second = await home.reeve(['apply'])
    expect(second).toMatchObject({ exitCode: 0, stdout: 'No changes. 1 facility is as declared.\n', stderr: '' })
    expect((await home.status('web'))?.pid).toBe(pid)
  })

  test('E10: an invalid file fails it and changes nothing', async () => {
    const home = openCliFixture({
      'web.yaml': sleeper('web'),
      'broken.yaml': broken.replace('name: web', 'name: b'),
    })
    const { exitCode, stderr } = await home.reeve(['apply'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/broken\.yaml:5:3(.|\n)*Nothing was changed\.\n$/)
    expect(await home.status('web')).toMatchObject({ state: 'absent' })
  })

  test('a service that does not come up fails it and is named', async () => {
    const bad = sleeper('bad').replace('[sleep, "1000"]', '[/nonexistent/program]')
    const home = openCliFixture({ 'bad.yaml': bad, 'web.yaml': sleeper('web') })
    const { exitCode, stdout, stderr } = await home.reeve(['apply'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/^(failed|not ready) bad: /m)
    expect(await home.status('web')).toMatchObject({ state: 'running' })
  })

  test('a saved plan is applied, and refused when it is outdated', async () => {
    const home = openCliFixture()
    mkdirSync(home.path('elsewhere'))
    home.write('elsewhere/web.yaml', sleeper('web'))
    await home.reeve(['plan', 'elsewhere', '--out', 'next.json'])
    expect((await home.reeve(['apply', '--plan', 'next.json'])).exitCode).toBe(0)
    const stale = await home.reeve(['apply', '--plan', 'next.json'])
    expect(stale.exitCode).toBe(1)
    expect(stale.stderr).toMatch(/^reeve: .*no longer fits/)
    const none = await home.reeve(['apply', '--plan', 'reeve.yaml'])
    expect(none.stderr).toMatch(/^reeve: .*is not a plan/)
  })

  test('E9: removals beyond the limit need --allow-removals, which the error names', async () => {
    const names = ['a', 'b', 'c', 'd']
    const home = openCliFixture(Object.fromEntries(names.map(name => [`${name}.yaml`, sleeper(name)])))
    await home.succeed(['apply'])
    for (const name of names.slice(1)) home.remove(`manifests/${name}.yaml`)
    const planned = await home.reeve(['plan', '--detailed-exitcode'])
    expect(planned).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('3 to remove') })
    expect(planned.stderr).toMatch(/^reeve apply will refuse this plan: 3 of the 4 .*--allow-removals 3/)
    const refused = await home.reeve(['apply'])
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('--allow-removals 3')
    expect((await home.reeve(['apply', '--allow-removals', '3'])).stdout).toContain('3 removed')
  })

  test('SIGINT ends it early with exit code 1, and a rerun resumes', async () => {
    const slow = sleeper('slow', '  health: { tcp: { port: 1 }, startupTimeout: 60s }\n')
    const home = openCliFixture({ 'slow.yaml': slow })
    const running = home.start(['apply'])
    await eventually('it waits', () => running.stderr().includes('slow: waits'))
    running.child.kill('SIGINT')
    const { exitCode, stderr } = await running.ended
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/Interrupted after \d+ steps?\. Run reeve apply again to resume from here\.\n$/)
    expect(await home.status('slow')).toMatchObject({ state: 'running' })
    home.write('manifests/slow.yaml', sleeper('slow'))
    await home.succeed(['apply'])
  })
})

describe('status, history and supervisors', () => {
  test('status prints a table, one facility, and JSON', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    await home.succeed(['apply'])
    const table = await home.reeve(['status'])
    expect(table.stdout).toMatch(/^NAME +SUPERVISOR +STATE +ENABLED +HEALTH +PID +UPTIME +RESTARTS +CONDITION\n/)
    expect(table.stdout).toMatch(/^web +process +running +yes +- +\d+ +\d+s +0 +Ready$/m)
    const one = await home.reeve(['status', 'web'])
    expect(one.stdout).toMatch(/^web\n {2}supervisor {3}process\n {2}state {8}running since /)
    const { facilities } = JSON.parse((await home.reeve(['status', 'web', '-o', 'json'])).stdout)
    expect(facilities).toHaveLength(1)
    expect(isAlive(facilities[0].pid)).toBe(true)
    const unknown = await home.reeve(['status', 'wbe'])
    expect(unknown).toMatchObject({ exitCode: 1, stdout: '' })
    expect(unknown.stderr).toMatch(/^reeve: there is no facility wbe/)
  })

  test('without a controller, status prints manifest problems on stderr', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web'), 'broken.yaml': broken.replace('name: web', 'name: b') })
    const { exitCode, stdout, stderr } = await home.reeve(['status'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^web /m)
    expect(stderr).toContain('broken.yaml:5:3')
    expect((await home.reeve(['status', '--manifests', 'nowhere'])).stderr).toContain('nowhere')
  })

  test('without a terminal, status --watch writes a line of JSON for every change', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const running = home.start(['status', '--watch', '-o', 'json'])
    await eventually('it has looked once', () => running.stdout().includes('\n'))
    await home.succeed(['apply'])
    await eventually('it has seen the change', () => running.stdout().includes('"running"'))
    running.child.kill('SIGINT')
    const { exitCode, stdout } = await running.ended
    expect(exitCode).toBe(0)
    const states = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).facilities[0].state)
    expect(states.at(0)).toBe('absent')
    expect(states.at(-1)).toBe('running')
  })

  test('history shows each step and its reason', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web'), 'db.yaml': sleeper('db') })
    expect((await home.reeve(['history'])).stdout).toBe('Nothing has been done yet.\n')
    await home.succeed(['apply'])
    const all = await home.reeve(['history'])
    expect(all.stdout).toMatch(/^\d{4}-.*Z +web +process +start +done .* apply +not on this host yet$/m)
    const { entries } = JSON.parse((await home.reeve(['history', 'db', '-o', 'json'])).stdout)
    expect(new Set(entries.map((entry: { facility: string }) => entry.facility))).toEqual(new Set(['db']))
    expect((await home.reeve(['history', '-n', '1'])).stdout.trimEnd().split('\n')).toHaveLength(2)
    const misspelt = await home.reeve(['history', 'wbe'])
    expect(misspelt).toMatchObject({ exitCode: 1, stdout: '' })
    expect(misspelt.stderr).toContain('there is no facility wbe')
  })

  test('supervisors lists the supervisors', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    expect((await home.reeve(['supervisors'])).stdout).toMatch(/^process +process +yes +- +1 /m)
    const { supervisors } = JSON.parse((await home.reeve(['supervisors', '-o', 'json'])).stdout)
    expect(supervisors).toContainEqual(expect.objectContaining({ name: 'process', available: true, facilities: 1 }))
    await home.succeed(['apply'])
    const version = (await home.reeve(['--version'])).stdout.trim()
    expect((await home.reeve(['supervisors'])).stdout).toMatch(new RegExp(`^process +process +yes +${version} `, 'm'))
  })
})

describe('manual actions', () => {
  test('stop, start, restart, disable and enable take effect, and are idempotent', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    await home.succeed(['apply'])
    const before = await home.status('web')
    expect(await home.reeve(['start', 'web'])).toMatchObject({ exitCode: 0, stdout: 'web is running already\n' })
    expect(await home.reeve(['restart', 'web', '--if-stopped'])).toMatchObject({ exitCode: 0 })
    expect(await home.reeve(['restart', 'web', '--if-changed'])).toMatchObject({ exitCode: 0 })
    expect((await home.status('web'))?.pid).toBe(before?.pid)
    expect(await home.reeve(['restart', 'web'])).toMatchObject({ exitCode: 0, stdout: 'web restarted\n' })
    expect((await home.status('web'))?.pid).not.toBe(before?.pid)
    expect(await home.reeve(['stop', 'web'])).toMatchObject({ exitCode: 0, stdout: 'web stopped\n' })
    expect(await home.reeve(['stop', 'web'])).toMatchObject({ exitCode: 0, stdout: 'web is stopped already\n' })
    expect(await home.status('web')).toMatchObject({ state: 'stopped', pid: null })
    expect(await home.reeve(['disable', 'web'])).toMatchObject({ exitCode: 0 })
    expect(await home.status('web')).toMatchObject({ enabled: false })
    expect(await home.reeve(['enable', 'web'])).toMatchObject({ exitCode: 0 })
    expect(await home.reeve(['start', 'web', '-o', 'json'])).toMatchObject({ exitCode: 0 })
    expect(await home.status('web')).toMatchObject({ state: 'running', enabled: true })
  })

  test('an undeclared name is an error', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const { exitCode, stderr } = await home.reeve(['start', 'wbe'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^reeve: there is no facility wbe/)
  })

  test('a suspended facility is left alone until it is resumed', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    await home.succeed(['apply'])
    expect((await home.reeve(['suspend', 'web'])).exitCode).toBe(0)
    expect(await home.succeed(['status'])).toMatch(/ {2}Ready, suspended$/m)
    await home.reeve(['stop', 'web'])
    await home.succeed(['apply'])
    expect(await home.status('web')).toMatchObject({ state: 'stopped' })
    expect((await home.reeve(['resume', 'web'])).exitCode).toBe(0)
    expect(await home.succeed(['status'])).toMatch(/ {2}Not ready: stopped; to do: start$/m)
    await home.succeed(['apply'])
    expect(await home.status('web')).toMatchObject({ state: 'running' })
  })
})

describe('down', () => {
  test('without a terminal, down shows what it would remove, and needs --yes', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web'), 'db.yaml': sleeper('db') })
    await home.succeed(['apply'])
    const pid = (await home.status('web'))?.pid ?? 0
    const refused = await home.reeve(['down'])
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toMatch(/- web(.|\n)*reeve down --yes/)
    expect(isAlive(pid)).toBe(true)

    expect((await home.reeve(['down', 'web', '--yes'])).stdout).toContain('1 removed')
    expect(isAlive(pid)).toBe(false)
    expect(await home.status('db')).toMatchObject({ state: 'running' })
    expect((await home.reeve(['down', 'wbe', '--yes'])).stderr).toContain('Reeve owns no facility wbe')
    expect((await home.reeve(['down', '--yes'])).exitCode).toBe(0)
    expect(await home.reeve(['down', '--yes'])).toMatchObject({ exitCode: 0, stdout: 'Nothing to remove.\n' })
  })
})

test('E15: while another writer holds the state directory, apply fails and names it', async () => {
  const home = openCliFixture({ 'slow.yaml': sleeper('slow', '  health: { tcp: { port: 1 }, startupTimeout: 60s }\n') })
  const writer = home.start(['apply'])
  await eventually('the first waits', () => writer.stderr().includes('slow: waits'))
  const { exitCode, stderr } = await home.reeve(['apply'])
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^reeve: .*reeve apply/)
  expect(stderr).toContain(String(writer.child.pid))
  writer.child.kill('SIGINT')
  expect((await writer.ended).exitCode).toBe(1)
  home.write('manifests/slow.yaml', sleeper('slow'))
})

test.each([
  ['validate'],
  ['plan'],
  ['apply'],
  ['status'],
  ['status', 'web'],
  ['start', 'web'],
  ['suspend', 'web'],
  ['supervisors'],
  ['install', '--dry-run'],
])('%s %s says which directory does not exist, who named it, and what to do', async (...args) => {
  const home = openCliFixture()
  const { exitCode, stderr } = await home.reeve([...args.filter(Boolean), '--manifests', 'gone'])
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringContaining(
      `manifests directory ${home.path('gone')} (given by --manifests) does not exist; nothing was changed. Create it, or name another one with --manifests DIR`,
    ),
  })
})
