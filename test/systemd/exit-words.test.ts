import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { exitedWith } from '../../providers/systemd/observe/exit-words.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { longRun } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const once = (command: readonly string[]) => ({ command, restart: { policy: 'never' } })

async function statusOf(lab: SystemdLab, name: string) {
  const [status] = (await createDirectControl(await lab.open()).status(name)).facilities
  return status
}

/** Exit codes and results of systemd get messages for people. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('how a unit ended', () => {
  test('has a name and a meaning for every exit code of this systemd for a failed start', () => {
    const listed = spawnSync('/usr/bin/systemd-analyze', ['exit-status', '--no-pager'], { encoding: 'utf8' }).stdout
    const ofSystemd = [...listed.matchAll(/^(\w+)\s+(\d+)\s+systemd$/gm)].filter(([, , code]) => Number(code) < 255)
    expect(ofSystemd.length).toBeGreaterThan(40)
    for (const [, name, code] of ofSystemd) {
      expect(exitedWith(Number(code)).meaning, `${code}/${name}`).toMatch(new RegExp(`^${name}: \\w.* .`))
    }
    // A program's own exit codes get no meaning.
    for (const code of [0, 1, 2, 64, 126, 199, 255]) expect(exitedWith(code)).toEqual({ code })
  })

  test('is shown by apply, status and plan as 203/EXEC and its meaning, if the program cannot be executed', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: once(['/nowhere/web']) })
    const said = 'exited with code 203/EXEC: the program could not be executed'
    expect((await lab.apply()).failed[0]?.message).toContain(`web.service has failed: it ${said}`)
    expect((await lab.plan()).troubles?.[0]?.message).toContain(`it ${said}`)
    const status = await statusOf(lab, 'web')
    expect(status?.lastExit).toEqual({ code: 203, message: said })
    expect(status?.conditions.find(({ type }) => type === 'Ready')?.message).toContain(said)
  })

  test('is shown while systemd waits to restart the unit, and in the history', async () => {
    await using lab = await createSystemdLab()
    const text = '[Service]\nType=simple\nExecStart=/nowhere/web\nRestart=always\nRestartSec=60s\n'
    lab.declareUnit('web', { enabled: 'unmanaged', config: { systemd: { text } } })
    const controller = await lab.run()
    const said = 'exited with code 203/EXEC: the program could not be executed'
    await eventually('it to wait', () => property('web', 'SubState') === 'auto-restart')
    expect(await lab.observe('web')).toMatchObject({
      exit: { code: 203 },
      message: `it ${said}; systemd waits to start it again`,
    })
    await eventually('the status to tell', async () => {
      return (await controller.status('web'))?.lastExit?.message === said
    })
    await eventually('the history to tell', () => lab.history().some(({ error }) => error?.includes(said)))
  })

  for (const [what, service, said] of [
    ['a command before the start', 'ExecStartPre=/bin/sh -c "exit 4"', 'ExecStartPre= exited with code 4'],
    [
      'a working directory that is not there',
      'WorkingDirectory=/nowhere',
      'it exited with code 200/CHDIR: its working directory could not be entered',
    ],
    ['a user that is not there', 'User=nobody-at-all', 'it exited with code 217/USER: there is no such user'],
    [
      'a missing environment file',
      'EnvironmentFile=/nowhere',
      'systemd lacked something that it needs for it: a file that its unit names',
    ],
    ['a process that says nothing', 'Type=notify\nTimeoutStartSec=200ms', 'its start took longer than it may'],
    ['one that forgets its pid file', 'Type=forking\nExecStart=\nExecStart=/bin/true\nPIDFile=/run/no.pid', 'Type='],
    [
      'a watchdog',
      'WatchdogSec=200ms\nTimeoutAbortSec=1s',
      'it gave no sign of life for as long as WatchdogSec= allows',
    ],
    ['a kill', 'ExecStartPost=/bin/sh -c "kill -KILL $MAINPID"', 'it was killed by signal KILL'],
  ] as const) {
    test(`${what} has a message`, async () => {
      await using lab = await createSystemdLab()
      lab.place('odd.service', `[Service]\nExecStart=/bin/sleep 1000000\n${service}\n`)
      lab.declareUnit('odd', { enabled: 'unmanaged' })
      systemctl('start', 'odd')
      await eventually('it to fail', () => property('odd', 'ActiveState') === 'failed')
      expect(await lab.observe('odd')).toMatchObject({ state: 'failed', message: expect.stringContaining(said) })
      expect(property('odd', 'Result')).not.toBe('success')
    })
  }

  test('the start limit, and a unit that is not loaded, have messages', async () => {
    await using lab = await createSystemdLab()
    const limited = '[Unit]\nStartLimitIntervalSec=1000\nStartLimitBurst=2\n[Service]\nRestart=always\n'
    lab.place('odd.service', `${limited}RestartSec=10ms\nExecStart=/bin/true\n`)
    lab.declareUnit('odd', { enabled: 'unmanaged' })
    systemctl('start', 'odd')
    await eventually('the limit', () => property('odd', 'Result') === 'start-limit-hit')
    expect((await lab.observe('odd')).message).toContain('it was started too often in a short time')
    lab.place('odd.service', '[Service]\nType=nonsense\n')
    expect((await lab.observe('odd')).message).not.toMatch(/bad-setting|start-limit-hit/)
    lab.declareUnit('web', { process: longRun() })
    lab.withdraw('odd')
    await lab.apply()
    lab.place('web.service', '[Service]\nUser=web\n')
    expect((await lab.observe('web')).message).toMatch(/its unit file has a setting that systemd does not take/)
  })
})
