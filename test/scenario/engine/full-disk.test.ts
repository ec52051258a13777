import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, type EngineLab, longRun, planOf, type RunningController } from '../../labs/engine-lab.ts'
import { mountSmallDisk } from '../../tools/small-disk.ts'

const isRoot = process.geteuid?.() === 0

async function pidOf(lab: EngineLab, name: string, before: number): Promise<number> {
  let found = 0
  await eventually(`${name} to run anew`, async () => {
    const { state, pid = 0 } = await lab.observe(name)
    found = pid
    return state === 'running' && pid !== before && isAlive(pid)
  })
  return found
}

function said(controller: RunningController, words: string): number {
  return controller.log.filter(({ message }) => message.includes(words)).length
}

test.runIf(isRoot)(
  'a full disk of the supervisor shows in status, plan and log, and killed services are restarted',
  async () => {
    using disk = mountSmallDisk()
    await using lab = createEngineLab()
    const directory = `${disk.directory}/supervisor`
    mkdirSync(directory, { mode: 0o700 })
    lab.declareSupervisor('lab', directory)
    lab.declare('web', { process: longRun(), state: 'running' })
    const controller = await lab.run()
    const { pid: first } = await controller.ready('web')
    disk.fill()
    process.kill(first ?? 0, 'SIGKILL')
    const second = await pidOf(lab, 'web', first ?? 0)
    const place = {
      supervisor: 'lab',
      path: directory,
      message: expect.stringContaining('no space left on the device'),
    }
    await eventually('the status to say so', async () => {
      const { facilities, unwritable } = await controller.control.status()
      return unwritable !== undefined && facilities[0]?.pid === second && facilities[0].restarts === 1
    })
    expect((await controller.control.status()).unwritable).toMatchObject([place])
    const plan = await lab.plan()
    expect(plan.unwritable).toMatchObject([{ ...place, since: expect.stringContaining('T') }])
    expect(planOf(plan, 'web')?.steps).toEqual([])
    expect(said(controller, 'supervisor lab: cannot write to')).toBe(1)
    await eventually(
      'the restart to be told',
      () => said(controller, 'web: its process was killed by signal KILL') === 1,
    )
    disk.free()
    await eventually('it to be over', async () => (await controller.control.status()).unwritable === undefined)
    expect(await controller.ready('web')).toMatchObject({ pid: second })
    expect(said(controller, 'can be written again')).toBe(1)
    await controller.stop()
  },
)

test.runIf(isRoot)(
  'with a full state directory the controller continues, reports it, and records everything once there is space',
  async () => {
    using disk = mountSmallDisk()
    await using lab = createEngineLab({ stateDirectory: disk.directory })
    lab.declare('web', { process: longRun(), state: 'running' })
    const controller = await lab.run()
    const { pid: first } = await controller.ready('web')
    const before = lab.history().length
    disk.fill()
    process.kill(first ?? 0, 'SIGKILL')
    const second = await pidOf(lab, 'web', first ?? 0)
    lab.declare('db', { process: longRun(1), state: 'running' })
    const { pid: db } = await controller.ready('db')
    const place = { path: lab.stateDirectory, message: expect.stringContaining('no space left on the device') }
    await eventually('the status to say so', async () => (await controller.control.status()).unwritable !== undefined)
    const { unwritable } = await controller.control.status()
    expect(unwritable).toMatchObject([place])
    expect(unwritable?.[0]?.supervisor).toBeUndefined()
    expect(said(controller, `cannot write to ${lab.stateDirectory}`)).toBe(1)
    disk.free()
    await eventually('it to be over', async () => (await controller.control.status()).unwritable === undefined)
    const told = lab
      .history()
      .slice(before)
      .map(({ step, reason }) => `${step} ${reason}`)
    expect(told).toEqual(expect.arrayContaining(['web/restart ended', 'db/start new']))
    expect(await controller.ready('web')).toMatchObject({ pid: second })
    expect(await controller.ready('db')).toMatchObject({ pid: db })
    await controller.stop()
    // Ownership is still known.
    lab.withdraw('db')
    const plan = await lab.plan()
    expect(planOf(plan, 'db')).toMatchObject({ change: 'remove' })
    expect(planOf(plan, 'web')?.steps).toEqual([])
  },
)

test.runIf(isRoot)('apply on a full disk changes nothing, or reports at the end what it could not record', async () => {
  using disk = mountSmallDisk()
  await using lab = createEngineLab({ stateDirectory: disk.directory })
  lab.declare('web', { process: longRun(), state: 'running' })
  await lab.apply()
  const { pid = 0 } = await lab.observe('web')
  disk.fill()
  // A repair needs no new record first, so it is done.
  process.kill(pid, 'SIGKILL')
  await lab.apply()
  expect((await lab.observe('web')).state).toBe('running')
  lab.declare('db', { process: longRun(1), state: 'running', supervisor: 'process' })
  await expect(lab.apply()).rejects.toThrow(/cannot write .*no space left on the device \(ENOSPC\); free some space/)
  expect((await lab.observe('db')).state).toBe('absent')
  disk.free()
  await lab.apply()
})
