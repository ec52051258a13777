import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createEngineLab, reasonOf } from '../../labs/engine-lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'
import { findProcesses } from '../process-instance.ts'

const words = 'put itself in the background, and was ended there; this supervisor needs it in the foreground'

/** Daemonizes: the started process exits with 0 once another one runs on in a session of its own. */
function daemon(mark: string): readonly string[] {
  const untilApart = 'while read -r _ _ _ _ _ session _ < /proc/$!/stat; [ "$session" != $! ]; do :; done'
  return ['/bin/sh', '-c', `setsid sleep ${mark} </dev/null >/dev/null 2>&1 & ${untilApart}; exit 0`]
}

/** Daemons whose started process exits before they are in a session of their own. `mark`: argument of sleep. */
const hastyDaemons: Readonly<Record<string, (mark: string) => readonly string[]>> = {
  'by a program that its child executes': mark => [
    '/bin/sh',
    '-c',
    `setsid sleep ${mark} </dev/null >/dev/null 2>&1 & exit 0`,
  ],
  'a while after its parent has exited': mark => perl('exit 0 if fork; select undef, undef, undef, 0.3; setsid;', mark),
}

function perl(script: string, mark: string): readonly string[] {
  return ['/usr/bin/perl', '-MPOSIX=setsid', '-e', `${script} exec 'sleep', '${mark}'`]
}

for (const [index, [how, command]] of Object.entries(hastyDaemons).entries()) {
  test(`a program that daemonizes ${how} is named in the status, and none is left over`, async () => {
    await using lab = createEngineLab()
    const mark = `${1_600_000 + process.pid}.${index}`
    lab.declare('web', { process: { command: command(mark), restart: { policy: 'never' } }, state: 'running' })
    const { notReady, failed } = await lab.apply()
    expect([...notReady, ...failed].map(({ message }) => message).join()).toContain(words)
    expect(findProcesses(mark)).toEqual([])
  })
}

for (const policy of ['always', 'on-failure', 'never'] as const) {
  test(`a program that daemonizes is named in the status, and none is left over (restart: ${policy})`, async () => {
    await using lab = createEngineLab()
    const mark = `${1_300_000 + process.pid}.${policy.length}${Math.round(performance.now())}`
    lab.declare('web', { process: { command: daemon(mark), restart: { policy, delay: '0s' } }, state: 'running' })
    const { notReady, failed } = await lab.apply()
    expect([...notReady, ...failed].map(({ message }) => message).join()).toContain(`sh ${words}`)
    const controller = await lab.run()
    await expect
      .poll(async () => reasonOf(await controller.status('web'), 'Stalled'))
      .toBe(policy === 'never' ? 'FailedForGood' : 'CrashLooping')
    const status = await controller.status('web')
    expect(status?.conditions.find(({ type }) => type === 'Ready')?.message).toContain(`sh ${words}`)
    // Never more than the process of a start that is being handled.
    expect(findProcesses(mark).length).toBeLessThanOrEqual(1)
    await controller.stop()
    lab.withdraw('web')
    await lab.apply({ allowRemovals: 1 })
    expect(findProcesses(mark)).toEqual([])
  })
}

test('a foreground service keeps the sessions it starts, both when it ends and when it is stopped', async () => {
  await using lab = createEngineLab()
  const mark = `${1_400_000 + process.pid}.1`
  const script = `setsid sleep ${mark} </dev/null >/dev/null 2>&1 & exec sleep 1000`
  lab.declare('web', { process: { command: ['/bin/sh', '-c', script] }, state: 'running' })
  await lab.apply()
  await eventually('one process', () => findProcesses(mark).length === 1)
  lab.declare('web', { process: { command: ['/bin/sh', '-c', script] }, state: 'stopped' })
  await lab.apply()
  expect((await lab.observe('web')).state).toBe('stopped')
  const [session] = findProcesses(mark)
  expect(session).toBeGreaterThan(0)
  process.kill(session ?? 0, 'SIGKILL')
})

for (const { scanner, harness } of scanFamilies) {
  for (const policy of ['always', 'never'] as const) {
    test(`the same under ${scanner} (restart: ${policy})`, async () => {
      await using lab = createEngineLab({ providers: [harness.provider] })
      const mark = `${1_500_000 + process.pid}.${policy.length}${scanner.length}`
      const root = lab.path('scan')
      mkdirSync(root)
      const supervisor = await harness.setUp(root)
      await using _scanner = { [Symbol.asyncDispose]: () => supervisor.tearDown() }
      const { type } = harness.provider
      const spec = { type, [type]: supervisor.options }
      const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'scan' }, spec }
      lab.write('scan.yaml', JSON.stringify(manifest))
      lab.declare('web', {
        process: { command: daemon(mark), restart: { policy } },
        state: 'running',
        supervisor: 'scan',
      })
      await lab.apply()
      await expect
        .poll(async () => {
          const { state, message = '' } = await lab.observe('web')
          return `${state} ${message}`
        })
        .toMatch(new RegExp(`^${policy === 'never' ? 'failed' : 'starting'} .*sh ${words}`))
      lab.withdraw('web')
      await lab.apply({ allowRemovals: 1 })
      expect(findProcesses(mark)).toEqual([])
    })
  }
}
