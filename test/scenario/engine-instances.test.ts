import { expect, test } from 'vitest'
import { createEngineLab, longRun, stepsOf } from '../engine-lab.ts'

test.concurrent('a supervisor that is declared in other words, or under another name, keeps its services', async () => {
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

  // And is found again under its last name.
  lab.withdraw('supervisor-ours')
  lab.withdraw('web')
  expect(stepsOf(await lab.plan())).toEqual(['web/stop', 'web/remove'])
})
