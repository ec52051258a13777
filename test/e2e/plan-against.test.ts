import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type CliFixture, type Outcome, openCliFixture, sleeper } from '../labs/cli-fixture.ts'

interface Checkout {
  readonly fixture: CliFixture
  git(...args: string[]): string
  /** Writes the files below `manifests`, and commits everything. */
  commit(files: Readonly<Record<string, string>>): void
  compare(...args: string[]): Promise<Outcome>
}

/** A checkout whose host configuration is in it. */
function openCheckout(base: Readonly<Record<string, string>>): Checkout {
  const fixture = openCliFixture()
  const { directory } = fixture
  mkdirSync(fixture.path('tmp'))
  fixture.write('.gitignore', 'tmp\nstate\n')
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
      encoding: 'utf8',
    }).trim()
  git('init', '--quiet', '--initial-branch=main')
  const commit = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) fixture.write(`manifests/${name}`, text)
    git('add', '--all')
    git('commit', '--quiet', '--message', 'Change manifests')
  }
  commit(base)
  git('branch', 'base')
  return {
    fixture,
    git,
    commit,
    compare: (...args) =>
      fixture.reeve(['plan', ...args, '--against', 'revision:base'], { env: { TMPDIR: fixture.path('tmp') } }),
  }
}

const facility = (name: string, spec: string): string =>
  `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec: ${spec}\n`

test('plan --against compares the working tree, or a commit, with another commit, and looks at no host', async () => {
  const { fixture, commit, compare } = openCheckout({ 'web.yaml': sleeper('web'), 'old.yaml': sleeper('old') })
  fixture.remove('manifests/old.yaml')
  commit({ 'web.yaml': sleeper('web', '  enabled: false\n'), 'new.yaml': sleeper('new') })
  const committed = await compare('--revision', 'HEAD')
  expect(committed.exitCode).toBe(0)
  expect(committed.stdout).toMatch(/^\+ new [\s\S]*\n- old [\s\S]*\n {4}remove [\s\S]*\n~ web [\s\S]*\n {4}disable /)
  expect(committed.stderr).toMatch(/^Plan for commit .*\nCompared with commit [0-9a-f]{12}; no host was looked at\.\n/)
  fixture.write('manifests/new.yaml', sleeper('newer'))
  expect((await compare()).stdout).toMatch(/^\+ newer /)
  expect((await compare('--detailed-exitcode')).exitCode).toBe(2)
  expect((await fixture.reeve(['plan', '--against', 'revision:HEAD', '--revision', 'HEAD'])).stdout).toMatch(
    /^No changes\. /,
  )
  expect(existsSync(fixture.path('state'))).toBe(false)
  expect(readdirSync(fixture.path('tmp'))).toEqual([])
})

test('E17: plan --against is the plan of a host on which the base was applied', async () => {
  const files = '  files: [{ path: DIRECTORY/app.conf, content: "port = PORT", onChange: reload }]\n'
  const web = (port: number, directory: string): string =>
    sleeper('web', files.replace('DIRECTORY', directory).replace('PORT', String(port)))
  const { fixture, commit } = openCheckout({ 'old.yaml': sleeper('old'), 'db.yaml': sleeper('db') })
  commit({ 'web.yaml': web(1, fixture.directory) })
  await fixture.succeed(['apply'])
  fixture.remove('manifests/old.yaml')
  commit({ 'web.yaml': web(2, fixture.directory), 'new.yaml': sleeper('new', '  dependsOn: [web]\n') })
  const { facilities } = JSON.parse(await fixture.succeed(['plan', '-o', 'json']))
  const { stdout } = await fixture.reeve(['plan', '-o', 'json', '--against', 'revision:HEAD~1'])
  expect(JSON.parse(stdout).facilities).toEqual(facilities)
  expect(facilities.map(({ change }: { change: string }) => change)).toEqual(['none', 'add', 'remove', 'change'])
})

test('plan --against plans relative paths as those of the host that is described', async () => {
  const { fixture, commit, compare } = openCheckout({ 'web.yaml': facility('web', inManifests('sleep')) })
  expect((await compare()).stdout).toMatch(/^No changes\. /)
  commit({ 'web.yaml': facility('web', inManifests('nap')) })
  expect((await compare()).stdout).toContain(`"workingDirectory": "${fixture.path('manifests')}"`)
  fixture.write(
    'reeve.yaml',
    'apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: /srv/state\nsource: { git: { url: /srv/hosts.git } }\n',
  )
  for (const args of [[], ['--revision', 'HEAD']]) {
    const { stdout } = await compare('manifests', ...args)
    expect(stdout).toContain('"workingDirectory": "/srv/state/source/current"')
    expect(stdout).toContain('Plan: 0 to add, 1 to change, ')
  }
  fixture.write('manifests/web.yaml', 'kind: Nothing\n')
  expect((await compare('manifests')).stderr).toMatch(/^manifests\/web\.yaml:1/m)
  fixture.write('reeve.yaml', 'apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\n')
})

const inManifests = (program: string): string => `{ process: { workingDirectory: ., command: [${program}] } }`

test('plan --against knows services and users of a host that is not this one', async () => {
  const { commit, compare } = openCheckout({
    'web.yaml': facility(
      'web',
      '{ supervisor: systemd, process: { command: [/opt/a], user: nobody-here }, files: [{ path: /etc/web.conf, owner: nobody-here, content: "password = one" }] }',
    ),
    'nginx.yaml': facility('nginx', '{ supervisor: systemd }'),
    'sv.yaml': `apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: app }\nspec: { type: runit, runit: { serviceDirectory: /srv/one/service, definitionDirectory: /srv/one/sv } }\n`,
    'queue.yaml': facility('queue', '{ supervisor: app, process: { command: [/opt/queue] } }'),
  })
  commit({
    'web.yaml': facility(
      'web',
      '{ supervisor: systemd, process: { command: [/opt/b], user: nobody-here }, files: [{ path: /etc/web.conf, owner: somebody, content: "password = two" }] }',
    ),
    'nginx.yaml': facility('nginx', '{ supervisor: systemd, state: stopped, enabled: false }'),
    'sv.yaml': `apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: app }\nspec: { type: runit, runit: { serviceDirectory: /srv/two/service, definitionDirectory: /srv/two/sv } }\n`,
  })
  const { stdout, exitCode } = await compare()
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/~ nginx \(systemd\)\n {4}disable [^\n]*\n {4}stop /)
  expect(stdout).toMatch(
    /~ queue \(app\)[\s\S]*\/srv\/two\/sv\/queue[\s\S]*stop app~[0-9a-f]{8}:queue [\s\S]*remove app~/,
  )
  expect(stdout).toMatch(/\n {4}write \/etc\/web\.conf [^\n]*\n {6}owner nobody-here:nobody-here → somebody:somebody\n/)
  expect(stdout).toContain('password = (redacted)')
  expect(stdout).not.toMatch(/password = (?:one|two)/)
  expect(stdout).toMatch(/\n {6}-ExecStart=:"\/opt\/a"\n {6}\+ExecStart=:"\/opt\/b"\n[\s\S]*\n {4}restart /)
})

test('plan -o markdown is a comment, whose first line is the same for each commit', async () => {
  const { fixture, commit, compare } = openCheckout({ 'web.yaml': sleeper('web') })
  commit({ 'new.yaml': sleeper('new') })
  const [first, second] = [
    await compare('-o', 'markdown'),
    await compare('--revision', 'HEAD', '-o', 'markdown', '--brief'),
  ]
  for (const { stdout } of [first, second]) {
    expect(stdout).toMatch(
      /^<!-- reeve plan: manifests on reeve\.yaml -->\n<h3>Plan for <code>manifests on reeve\.yaml<\/code><\/h3>\n/,
    )
    expect(stdout).toMatch(
      /<details><summary>\+ <code>new<\/code> \(<code>process<\/code>\): install, enable, start<\/summary>/,
    )
    expect(stdout).toMatch(/<code>Compared with commit [0-9a-f]{12}; no host was looked at\.<\/code>/)
  }
  expect([first.stdout, second.stdout].map(text => text.includes('+++ '))).toEqual([true, false])
  fixture.write('manifests/new.yaml', 'kind: Nothing\n')
  const invalid = await compare('-o', 'markdown')
  expect(invalid).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('The manifests are not valid.') })
  fixture.remove('manifests/new.yaml')
})

test('plan --against loads no provider from the checkout, whose code a commit could have changed', async () => {
  const { fixture, compare } = openCheckout({ 'web.yaml': sleeper('web') })
  fixture.write('mine.mjs', `import { writeFileSync } from 'node:fs'\nwriteFileSync('loaded', '')\nexport default {}\n`)
  fixture.write('reeve.yaml', 'apiVersion: reeve/v1\nkind: HostConfiguration\nproviders: [./mine.mjs]\n')
  const { exitCode, stderr } = await compare()
  expect({ exitCode, isLoaded: existsSync(fixture.path('loaded')) }).toEqual({ exitCode: 1, isLoaded: false })
  expect(stderr).toMatch(/provider .*mine\.mjs of the host configuration is in the checkout .* it is not loaded/)
  fixture.write('reeve.yaml', 'apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\n')
})

test('plan --against reads a checkout that others can write, as CI makes them', async () => {
  const { fixture, compare } = openCheckout({ 'web.yaml': sleeper('web') })
  for (const path of [fixture.path('manifests'), fixture.path('manifests/web.yaml'), fixture.path('reeve.yaml')])
    chmodSync(path, 0o777)
  expect((await compare()).stdout).toMatch(/^No changes\. /)
  chmodSync(fixture.path('reeve.yaml'), 0o644)
})

test('plan --against takes a directory that the base lacks for empty, and says that an invalid base is incomplete', async () => {
  const { fixture, commit, compare } = openCheckout({ 'web.yaml': sleeper('web'), 'bad.yaml': 'kind: Nothing\n' })
  mkdirSync(fixture.path('more'))
  fixture.write('more/cron.yaml', sleeper('cron'))
  expect((await compare('more')).stdout).toMatch(/^\+ cron [\s\S]*Plan: 1 to add, 0 to change, /)
  commit({ 'bad.yaml': sleeper('good') })
  const mended = await compare()
  expect(mended).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\+ good /) })
  expect(mended.stderr).toMatch(/revision base[\s\S]*it is not valid itself \(\d errors?\)/)
  fixture.write('manifests/bad.yaml', 'kind: Nothing\n')
  expect(await compare()).toMatchObject({ exitCode: 1, stdout: '' })
  fixture.remove('manifests/bad.yaml')
})

test.each([
  [['--against', 'main'], /--against: expected revision:REV, such as revision:main, found main/],
  [['--against', 'revision:main', '--out', 'x.json'], /--out saves a plan for reeve apply/],
  [['--against', 'revision:nowhere'], /has no commit nowhere: fetch it first/],
])('plan %j is refused', async (args, message) => {
  const { fixture } = openCheckout({ 'web.yaml': sleeper('web') })
  expect(await fixture.reeve(['plan', ...args])).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(message),
  })
})
