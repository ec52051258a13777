import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, longRun, stepsOf } from '../../labs/engine-lab.ts'

test.concurrent('a supervisor declared with other options or another name keeps its services', async () => {
  await using lab = createEngineLab()
  const at = { process: longRun(), supervisor: 'mine' }
  const directory = lab.declareSupervisor('mine')
  lab.declare('web', at)
  await lab.apply()
  const { pid } = await lab.observe('web')

  lab.declareSupervisor('mine', `${directory}/../supervisor-mine/`)
  expect(stepsOf(await lab.plan())).toEqual([])
  await lab.apply()

  lab.withdraw('supervisor-mine')
  lab.declareSupervisor('ours', directory)
  lab.declare('web', { ...at, supervisor: 'ours' })
  expect(stepsOf(await lab.plan())).toEqual([])
  await lab.apply()
  expect((await lab.observe('web')).pid).toBe(pid)

  // It is found again under its last name.
  lab.withdraw('supervisor-ours')
  lab.withdraw('web')
  expect(stepsOf(await lab.plan())).toEqual(['web/stop', 'web/remove'])
})

test.concurrent('a supervisor that gets another directory has its services moved there, leaving nothing behind', async () => {
  await using lab = createEngineLab()
  const usual = lab.declareSupervisor('mine', join(lab.stateDirectory, 'process-mine'))
  const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'mine' }, spec: { type: 'process' } }
  lab.write('supervisor-mine.yaml', JSON.stringify(manifest))
  lab.declare('web', { process: longRun(), supervisor: 'mine' })
  await lab.apply()
  const { pid = 0 } = await lab.observe('web')
  expect(isAlive(pid)).toBe(true)

  lab.declareSupervisor('mine')
  // Observed twice: the second time by the name that the first has recorded.
  await lab.plan()
  expect((await lab.apply()).failed).toEqual([])
  expect(isAlive(pid)).toBe(false)
  expect((await lab.observe('web')).state).toBe('running')
  expect(readdirSync(`${usual}/definitions`)).toEqual([])
  expect(stepsOf(await lab.plan())).toEqual([])
})
