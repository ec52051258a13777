import { existsSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, diary, type EngineLab, type Spec, stepsOf } from '../../labs/engine-lab.ts'

/** `start db`, `stop web`, …, in the order of the times that the services wrote. */
function readDiary(lab: EngineLab): string[] {
  return lab
    .lines('diary')
    .map(line => line.split(' '))
    .sort(([, , left = ''], [, , right = '']) => (BigInt(left) < BigInt(right) ? -1 : 1))
    .map(([word, name]) => `${word} ${name}`)
}

/** Healthy from its third check on, which writes `healthy NAME NANOSECONDS`. */
function slowHealth(lab: EngineLab, name: string): Spec {
  const count = lab.path(`${name}.count`)
  const healthy = `echo healthy ${name} $(date +%s%N) >> ${lab.path('diary')}`
  const script = `echo x >> ${count}; [ $(wc -l < ${count}) -lt 3 ] && exit 1; [ $(wc -l < ${count}) -eq 3 ] && ${healthy}; exit 0`
  return { exec: { command: ['/bin/sh', '-c', script] }, interval: '1s', startupTimeout: '20s' }
}

test.concurrent('E13: a start follows the readiness of its dependency; stops and removals run in reverse', async () => {
  await using lab = createEngineLab()
  const log = lab.path('diary')
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }), dependsOn: ['app'] })
  lab.declare('app', { process: diary('app', log, { stopping: 0.2 }), dependsOn: ['db'] })
  lab.declare('db', { process: diary('db', log), health: slowHealth(lab, 'db') })
  await lab.apply()
  expect(readDiary(lab)).toEqual(['start db', 'healthy db', 'start app', 'start web'])

  rmSync(log)
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }), dependsOn: ['app'], state: 'stopped' })
  lab.declare('app', { process: diary('app', log, { stopping: 0.2 }), dependsOn: ['db'], state: 'stopped' })
  lab.declare('db', { process: diary('db', log), state: 'stopped' })
  await lab.apply()
  expect(readDiary(lab)).toEqual(['stop web', 'stop app', 'stop db'])

  for (const name of ['web', 'app', 'db']) {
    const dependsOn = { web: ['app'], app: ['db'], db: [] }[name]
    lab.declare(name, { process: diary(name, log, { stopping: 0.2 }), dependsOn })
  }
  await lab.apply()
  rmSync(log)
  for (const name of ['web', 'app', 'db']) lab.withdraw(name)
  const outcome = await lab.apply({ allowRemovals: 3 })
  expect(outcome.failed).toEqual([])
  expect(readDiary(lab)).toEqual(['stop web', 'stop app', 'stop db'])
})

test.concurrent('E14: a facility that moves to another supervisor stops there before it starts here', async () => {
  await using lab = createEngineLab()
  const other = lab.declareSupervisor('other')
  const log = lab.path('diary')
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }) })
  await lab.apply()
  const before = await lab.observe('web')
  lab.declare('web', { supervisor: 'other', process: diary('web', log, { stopping: 0.2 }) })
  const outcome = await lab.apply()
  expect(outcome.failed).toEqual([])
  expect(readDiary(lab)).toEqual(['start web', 'stop web', 'start web'])
  expect(isAlive(before.pid ?? 0)).toBe(false)
  expect(existsSync(`${lab.supervisorDirectory}/definitions/web.json`)).toBe(false)
  expect(existsSync(`${other}/definitions/web.json`)).toBe(true)
  expect((await lab.observe('web')).state).toBe('running')
  expect(stepsOf(await lab.plan())).toEqual([])
})
