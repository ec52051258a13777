import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { status as isStatusReport } from '#schemas/compiled/status.js'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'
import { createGitLab } from '../labs/git-lab.ts'

function configure(home: CliFixture, mode: 'reconcile' | 'report', more = ''): void {
  home.write(
    'reeve.yaml',
    `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nresync: 1s\nmode: ${mode}\n${more}`,
  )
}

test('status opens with report mode, which commands that would change the host refuse with exit 1', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  configure(home, 'report')
  expect(await home.succeed(['plan'])).toContain('Plan: 1 to add')
  expect(await home.succeed(['status'])).toMatch(
    /^Report mode: nothing is changed on this host\.\nNAME .*\nweb .* to do: /,
  )
  expect(await home.succeed(['status', 'web'])).toMatch(/^Report mode: nothing is changed on this host\.\nweb\n/)
  const report = JSON.parse(await home.succeed(['status', '-o', 'json']))
  expect([report.mode, isStatusReport(report)]).toEqual(['report', true])
  for (const args of [['apply'], ['down', '--yes'], ['start', 'web'], ['stop', 'web', '--suspend']]) {
    const { exitCode, stdout, stderr } = await home.reeve(args)
    expect({ exitCode, stdout }, args.join(' ')).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('this host is in report mode (mode: report in the host configuration)')
  }
  configure(home, 'reconcile')
  expect(await home.succeed(['apply'])).toContain('1 added')
  expect(await home.succeed(['status'])).toMatch(/^NAME /)
})

test('status warns of a controller that was started in another mode', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const controller = home.start(['run'])
  await eventually('web to run', async () => (await home.status('web'))?.state === 'running')
  configure(home, 'report')
  const { stdout, stderr } = await home.reeve(['status'])
  expect(stdout).toMatch(/^NAME /)
  expect(stderr).toContain(
    `Warning: the host configuration says mode: report, and the controller (process ${controller.child.pid}) still goes by mode: reconcile: restart it\n`,
  )
  configure(home, 'reconcile')
  expect((await home.reeve(['status'])).stderr).not.toContain('goes by mode')
})

test('on a narrow terminal the word comes first', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  configure(home, 'report')
  const command = `stty cols 20 rows 24; exec ${process.execPath} ${reevePath} status --config reeve.yaml`
  const { stdout } = await home.startProgram('script', ['-qfec', command, '/dev/null']).ended
  const lines = stripVTControlCharacters(stdout).split('\r\n')
  expect(lines.slice(0, 2)).toEqual(['Report mode: nothing', '  is changed on this'])
  expect(lines.filter(line => line.length > 20)).toEqual([])
  configure(home, 'reconcile')
})

test('a host in report mode fetches each commit, tells what it would do, and does nothing', async () => {
  using lab = createGitLab()
  const first = lab.commit({ 'web.yaml': sleeper('web') }, { message: 'Add web' })
  const home = openCliFixture()
  const source = `source: { git: { url: "${lab.upstream}", branch: main, interval: 1h } }\n`
  configure(home, 'report', source)
  expect(await home.succeed(['sync'])).toContain('Add web')
  const controller = home.start(['run'])
  const todo = async (): Promise<unknown> => {
    const { stdout } = await home.reeve(['status', '-o', 'json'])
    const { facilities = [] } = stdout === '' ? {} : JSON.parse(stdout)
    return facilities
      .map(({ name, state, pending }: Record<string, string>) => `${name} ${state} ${pending}`)
      .join('; ')
  }
  const steps = 'absent to do: install, enable, start'
  await eventually('web to be pending', async () => (await todo()) === `web ${steps}`)
  lab.commit({ 'db.yaml': sleeper('db') }, { message: 'Add db' })
  expect(await home.succeed(['sync'])).toContain('Add db')
  await eventually('both to be pending', async () => (await todo()) === `db ${steps}; web ${steps}`)
  expect((await home.reeve(['apply'])).stderr).toContain('apply: this host is in report mode')
  controller.child.kill('SIGTERM')
  expect((await controller.ended).exitCode).toBe(0)
  // Another revision may be chosen; nobody is told to apply it.
  expect((await home.reeve(['rollback', first])).stderr).toBe('')
  expect(await home.succeed(['sync'])).toContain('Add db')
  configure(home, 'reconcile', source)
  expect(await home.succeed(['apply'])).toContain('2 added')
})
