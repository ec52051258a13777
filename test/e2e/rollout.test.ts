import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { createGitLab, type GitLab } from '../labs/git-lab.ts'

const web = (command: string): Record<string, string> => ({
  'web.yaml': `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: web }\nspec: { process: { command: [${command}] } }\n`,
})

const good = web('/bin/sleep, "1000001"')
const bad = web('/bin/false')
const config = ['--config', 'reeve.yaml']

function open(lab: GitLab) {
  const fixture = openCliFixture()
  fixture.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { git: { url: "${lab.upstream}", branch: main, interval: 1h } }\nrollout: { minHealthyTime: 300ms }\n`,
  )
  return { ...fixture, run: (...args: string[]) => fixture.reeve([...config, ...args]) }
}

test('apply and sync --wait exit with 1 after a rollback, and say what failed and what is in force', async () => {
  using lab = createGitLab()
  const first = lab.commit(good, { message: 'Add web' }).slice(0, 12)
  const host = open(lab)
  expect((await host.run('apply')).exitCode).toBe(0)

  const broken = lab.commit(bad, { message: 'Break web' }).slice(0, 12)
  const applied = await host.run('apply')
  expect(applied.exitCode).toBe(1)
  expect(applied.stderr).toContain(`! revision ${broken}: rolled back: `)
  const { stdout: status } = await host.run('status')
  expect(status).toContain(`Revision  ${first} Add web`)
  expect(status).toContain(`Outcome   ${broken} Break web: rolled back since`)

  host.start([...config, 'run'])
  await expect.poll(async () => (await host.run('status')).stdout, { timeout: 30_000 }).toContain('running')
  const worse = lab.commit(web('/bin/sh, -c, "exit 4"'), { message: 'Break it otherwise' }).slice(0, 12)
  const synced = await host.run('sync', '--wait')
  expect(synced.exitCode).toBe(1)
  expect(synced.stdout).toContain(`Outcome   ${worse} Break it otherwise: rolled back since`)

  const mended = lab.commit(web('/bin/sleep, "1000002"'), { message: 'Mend web' }).slice(0, 12)
  expect((await host.run('sync', '--wait')).exitCode).toBe(0)
  const { stdout: revisions } = await host.run('revisions')
  const lines = revisions.split('\n').map(line => line.trim().split(/ {2,}/).slice(0, 3).join(' '))
  expect(lines).toEqual([
    expect.stringMatching(/^COMMIT OUTCOME AGE$/),
    `* ${mended} healthy`,
    expect.stringMatching(new RegExp(`^${worse} rolled back `)),
    expect.stringMatching(new RegExp(`^${broken} rolled back `)),
    expect.stringMatching(new RegExp(`^${first} healthy `)),
    '',
  ])
  const { stdout: one } = await host.run('revisions', worse)
  expect(one).toMatch(/^Outcome {4}rolled back$/m)
  expect(one).toMatch(/^Plan {7}0 to add, 1 to change, 0 to repair, 0 to remove$/m)
  expect(one).toMatch(/^Changed {4}web$/m)
  expect((await host.run('revisions', 'fffffff')).stderr).toContain('no revision of that name was tried on this host')

  expect((await host.run('rollback')).stdout).toContain('It stays in force until reeve sync.')
  expect((await host.run('status')).stdout).toContain('chosen with reeve rollback')
})

test('apply exits with 1 if an invalid revision has come meanwhile, and names it', async () => {
  using lab = createGitLab()
  lab.commit(good)
  const host = open(lab)
  host.start([...config, 'run'])
  await expect.poll(async () => (await host.run('status')).stdout, { timeout: 30_000 }).toContain('running')
  const slow = good['web.yaml']?.replace('process:', 'readySeconds: 8, process:').replace('1000001', '1000002') ?? ''
  lab.commit({ 'web.yaml': slow }, { message: 'Start slowly' })
  expect((await host.run('sync')).exitCode).toBe(0)
  const invalid = lab.commit({ 'web.yaml': 'kind: Facilty' }, { message: 'Misspell it' }).slice(0, 12)
  const { exitCode, stderr } = await host.run('apply')
  expect(stderr).toContain(`! revision ${invalid} Misspell it waits: its manifests are not valid: `)
  expect(exitCode).toBe(1)
})

test('on a terminal of 60 columns, what is known of revisions fits, and no word is broken', async () => {
  using lab = createGitLab()
  const subject = 'Add web, which the payment gateway needs from the first day of the next month on'
  const first = lab.commit(good, { message: subject }).slice(0, 12)
  const host = open(lab)
  expect((await host.run('apply')).exitCode).toBe(0)
  const broken = lab.commit(bad, { message: 'Break web' }).slice(0, 12)
  await host.run('apply')
  const show = async (...args: string[]): Promise<string> => {
    const { stdout } = await host.startInTerminal([...config, ...args], { columns: 60 }).ended
    return stripVTControlCharacters(stdout).replaceAll('\r\n', '\n')
  }
  const shown = {
    status: await show('status'),
    list: await show('revisions'),
    one: await show('revisions', first),
    plan: await show('plan', '--revision', broken, '--against', `revision:${first}`),
  }
  const paths = (line: string): boolean => /^ *(?:[-+]{3} \/|Source +\/)/.test(line)
  for (const [name, text] of Object.entries(shown)) {
    expect({ name, wide: text.split('\n').filter(line => line.length > 60 && !paths(line)) }).toEqual({
      name,
      wide: [],
    })
  }
  const flat = (text: string): string => text.replace(/\s+/g, ' ')
  const author = 'Ada Author <ada@example.org>'
  expect(flat(shown.status)).toContain(`Revision ${first} ${subject} (${author}, since `)
  expect(shown.status).toMatch(/^Revision {2}\S.*\n {10}\S/m)
  expect(flat(shown.status)).toContain(`Outcome ${broken} Break web: rolled back since `)
  expect(flat(shown.one)).toContain(`Subject ${subject} Author ${author}, 2`)
  expect(shown.list).toMatch(/^ {3}COMMIT {8}OUTCOME {6}AGE +SUBJECT$/m)
  expect(shown.list).toMatch(new RegExp(`^\\* {2}${first} {2}healthy {6}\\S+ +Add web, .*…$`, 'm'))
  expect(shown.plan).toMatch(/^~ web \(process\)$/m)
})

test('without a Git repository, commands about revisions say what is missing', async () => {
  const fixture = openCliFixture()
  for (const command of ['sync', 'rollback']) {
    const { exitCode, stderr } = await fixture.reeve([command])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('no Git repository is followed here')
  }
  expect((await fixture.reeve(['revisions'])).stdout).toBe('No revision has been tried on this host yet.\n')
})
