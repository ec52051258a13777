import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { validate } from '../../src/engine/refresh/validation.ts'
import { longRun, planOf, reasonOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'
const run = `[Service]\nExecStart=${LONG_RUN.join(' ')}\n`

const withUnit = (section: string, keys: object) => ({
  process: longRun(),
  config: { systemd: { unit: { [section]: keys } } },
})

async function blockersOf(lab: SystemdLab, ...names: string[]): Promise<(string | undefined)[]> {
  const plan = await lab.plan()
  return names.map(name => planOf(plan, name)?.blocked)
}

/** Both are blocked, each with the other's name, by plan and by `apply`; nothing is touched. */
async function expectBlocked(lab: SystemdLab, names: readonly [string, string], how: RegExp): Promise<void> {
  const before = names.map(name => systemctl('show', '--property=MainPID', '--property=ActiveState', name))
  const [here, there] = await blockersOf(lab, ...names)
  expect(here).toMatch(new RegExp(`facility ${names[1]}`))
  expect(there).toMatch(new RegExp(`facility ${names[0]}`))
  expect([here, there]).toEqual([expect.stringMatching(how), expect.stringMatching(how)])
  const outcome = await lab.apply()
  expect([outcome.plan.summary.blocked, outcome.stepsDone]).toEqual([2, 0])
  expect(names.map(name => systemctl('show', '--property=MainPID', '--property=ActiveState', name))).toEqual(before)
}

/** Applied and up to date: the next plan has no steps. */
async function expectSettled(lab: SystemdLab): Promise<void> {
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [], plan: { summary: { blocked: 0 } } })
  const plan = await lab.plan()
  expect([stepsOf(plan), plan.summary.blocked]).toEqual([[], 0])
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('E21: units that undo one another are found:', () => {
  test('one unit by Alias=, the one stopped, the other running', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('td-agent', { state: 'stopped', enabled: false })
    lab.declareUnit('fluentd', withUnit('Install', { Alias: 'td-agent.service' }))
    const alias = /same service .*Alias=td-agent\.service of fluentd\.service/
    const { diagnostics, complete } = await validate(await lab.open())
    expect([complete, diagnostics.map(({ code, message }) => [code, alias.test(message)])]).toEqual([
      false,
      [
        ['contradiction', true],
        ['contradiction', true],
      ],
    ])
    await expectBlocked(lab, ['fluentd', 'td-agent'], alias)

    // The way out, from a state applied without the check: the link on the disk is removed.
    lab.withdraw('td-agent')
    await expectSettled(lab)
    lab.declareUnit('td-agent', { state: 'stopped', enabled: false })
    await expectBlocked(lab, ['fluentd', 'td-agent'], alias)
    lab.declareUnit('fluentd', { process: longRun() })
    await expectSettled(lab)
    expect(systemctl('is-active', 'fluentd')).toBe('active')
  })

  test('an alias that only the host knows', async () => {
    await using lab = await createSystemdLab()
    lab.place('agent.service', run)
    symlinkSync(`${units}/agent.service`, `${units}/nick.service`)
    systemctl('daemon-reload')
    systemctl('start', 'agent')
    lab.declareUnit('agent', { enabled: 'unmanaged' })
    lab.declareUnit('nick', { enabled: 'unmanaged', state: 'stopped' })
    await expectBlocked(lab, ['agent', 'nick'], /nick\.service is another name of agent\.service/)
  })

  test('an alias of a unit that its facility moves away from, or that nobody declares any more', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('agent', { process: longRun() })
    await lab.apply()
    symlinkSync(`${units}/agent.service`, `${units}/nick.service`)
    systemctl('daemon-reload')
    lab.declareUnit('nick', { enabled: 'unmanaged' })
    const about = /agent\.service.*which is about to be removed/
    lab.declareUnit('agent', { serviceName: 'agent2', process: longRun() })
    expect(await blockersOf(lab, 'agent', 'nick')).toEqual([undefined, expect.stringMatching(about)])
    lab.declareUnit('agent', { serviceName: 'nick', enabled: 'unmanaged' })
    lab.withdraw('nick')
    expect(await blockersOf(lab, 'agent')).toEqual([expect.stringContaining('declare serviceName: agent')])
    lab.withdraw('agent')
    lab.declareUnit('nick', { enabled: 'unmanaged' })
    expect(await blockersOf(lab, 'nick')).toEqual([expect.stringMatching(about)])
    expect((await lab.apply()).failed).toEqual([])
    expect(await blockersOf(lab, 'nick')).toEqual([expect.stringContaining('has no service nick')])
  })

  test('Conflicts= of two that are declared running, until one is stopped', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('one', { process: longRun() })
    await lab.apply()
    lab.declareUnit('two', withUnit('Unit', { Conflicts: 'one.service' }))
    await expectBlocked(lab, ['one', 'two'], /Conflicts=one\.service of two\.service/)
    expect(systemctl('is-active', 'one')).toBe('active')
    lab.declareUnit('one', { process: longRun(), state: 'stopped' })
    await expectSettled(lab)
    expect([systemctl('is-active', 'one'), systemctl('is-active', 'two')]).toEqual(['inactive', 'active'])
  })

  test('Also= of a unit that is declared disabled', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('one', withUnit('Install', { Also: 'two.service' }))
    lab.declareUnit('two', { process: longRun(), enabled: false })
    await expectBlocked(lab, ['one', 'two'], /Also=two\.service of one\.service/)
    lab.declareUnit('two', { process: longRun() })
    await expectSettled(lab)
  })

  for (const key of ['Requires', 'BindsTo', 'PartOf', 'Wants', 'Upholds']) {
    test(`${key}= of a unit that is declared stopped`, async () => {
      await using lab = await createSystemdLab()
      lab.declareUnit('one', withUnit('Unit', { [key]: 'two.service' }))
      lab.declareUnit('two', { process: longRun() })
      await expectSettled(lab)
      lab.declareUnit('two', { process: longRun(), state: 'stopped' })
      await expectBlocked(lab, ['one', 'two'], new RegExp(`${key}=two\\.service of one\\.service`))
      // An undeclared key that is still on the disk doesn't count.
      lab.declareUnit('one', { process: longRun() })
      await expectSettled(lab)
      expect([systemctl('is-active', 'one'), systemctl('is-active', 'two')]).toEqual(['active', 'inactive'])
    })
  }

  test('by drop-ins of others, and through units that no manifest declares', async () => {
    await using lab = await createSystemdLab()
    lab.place('between.service', `[Unit]\nConflicts=two.service\n${run}`)
    lab.declareUnit('one', { process: longRun() })
    lab.declareUnit('two', { process: longRun() })
    await expectSettled(lab)
    mkdirSync(`${units}/one.service.wants`)
    symlinkSync(`${units}/between.service`, `${units}/one.service.wants/between.service`)
    await expectBlocked(
      lab,
      ['one', 'two'],
      /one\.service\.wants\/between\.service, Conflicts=two\.service of between\.service/,
    )
    lab.declareUnit('one', { process: longRun(), state: 'stopped' })
    expect((await lab.plan()).summary.blocked).toBe(0)
  })

  test('a packaged timer of a service that is declared stopped', async () => {
    await using lab = await createSystemdLab()
    lab.place('job.service', run)
    lab.place('job.timer', '[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n')
    lab.declareUnit('job', { state: 'stopped', enabled: 'unmanaged' })
    lab.declareUnit('job.timer', {})
    await expectBlocked(lab, ['job', 'job.timer'], /job\.timer starts job\.service/)
    lab.declareUnit('job', { state: 'unmanaged', enabled: 'unmanaged' })
    await expectSettled(lab)
  })

  test('not by a drop-in that was dropped from the manifest', async () => {
    await using lab = await createSystemdLab()
    lab.place('web.service', run)
    lab.declareUnit('other', { process: longRun() })
    lab.declareUnit('web', {
      enabled: 'unmanaged',
      state: 'stopped',
      config: { systemd: { dropIns: { x: { Unit: { Conflicts: 'other.service' } } } } },
    })
    await expectSettled(lab)
    lab.declareUnit('web', { enabled: 'unmanaged' })
    await expectSettled(lab)
  })

  test('two supervisors of one manager that write units in different places', async () => {
    await using lab = await createSystemdLab()
    const directory = '/usr/local/lib/systemd/system'
    mkdirSync(directory, { recursive: true })
    const spec = { type: 'systemd', systemd: { unitDirectory: directory } }
    lab.write(
      'second.yaml',
      JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'second' }, spec }),
    )
    lab.place('web.service', run)
    lab.declareUnit('web', { enabled: 'unmanaged' })
    lab.declareUnit('web-too', { supervisor: 'second', serviceName: 'web', enabled: 'unmanaged', state: 'stopped' })
    await expectBlocked(lab, ['web', 'web-too'], /same service/)
  })

  test('two that kill each other as they start, which no unit file shows: both are stalled', async () => {
    await using lab = await createSystemdLab({ configuration: 'resync: 1s' })
    const killer = (own: string, other: string): string =>
      `[Service]\nExecStart=/bin/sleep ${own}\nExecStartPost=-/usr/bin/pkill -KILL -f "^/bin/sleep ${other}"\n[Install]\nWantedBy=multi-user.target\n`
    const tokens = ['1111111', '2222222'] as const
    lab.declareUnit('one', { config: { systemd: { text: killer(tokens[0], tokens[1]) } } })
    lab.declareUnit('two', { config: { systemd: { text: killer(tokens[1], tokens[0]) } } })
    const controller = await lab.run()
    for (const name of ['one', 'two']) {
      await eventually(
        `${name} to be stalled`,
        async () => reasonOf(await controller.status(name), 'Stalled') === 'Undone',
      )
    }
    const told = (await controller.status('one'))?.conditions.find(({ type }) => type === 'Stalled')?.message
    expect(told).toMatch(/facilities one and two undo each other's steps.*one is stopped again, two is stopped again/)
  })

  test('compatible relations are no contradiction', async () => {
    await using lab = await createSystemdLab()
    writeFileSync(`${units}/ease.target`, '[Unit]\nConflicts=shutdown.target\n')
    lab.declareUnit('one', withUnit('Unit', { Conflicts: ['two.service', 'shutdown.target'], PartOf: 'ease.target' }))
    lab.declareUnit('two', { process: longRun(), state: 'stopped' })
    lab.declareUnit('three', withUnit('Unit', { Requires: 'one.service', Conflicts: 'shutdown.target' }))
    lab.declareUnit('alert', { process: longRun(), state: 'unmanaged', enabled: false })
    lab.declareUnit('four', withUnit('Unit', { OnFailure: 'alert.service', PartOf: 'ease.target' }))
    await expectSettled(lab)
  })
})
