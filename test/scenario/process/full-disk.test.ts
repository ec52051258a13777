import { chmodSync, chownSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tellingName } from '../../../providers/process/shared/telling.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Unwritable } from '../../../src/core/state/unwritable.ts'
import { findSupervisorPid } from '../../labs/process-lab.ts'
import { mountSmallDisk } from '../../tools/small-disk.ts'
import { createInstance, isRunning, type ProcessInstance } from '../process-instance.ts'

const isRoot = process.geteuid?.() === 0

const always = { policy: 'always', delay: 0 } as const
const never = { policy: 'never', delay: 0 } as const

async function listUnwritable(made: ProcessInstance): Promise<readonly Unwritable[]> {
  const found = await made.observer.probe()
  if (!found.available) throw new Error(found.reason)
  return found.unwritable ?? []
}

/** Report of the supervisor on its own directory. */
async function unwritable(made: ProcessInstance): Promise<readonly Unwritable[]> {
  return (await listUnwritable(made)).filter(({ path }) => path === made.layout.directory)
}

/** Name of the supervisor in ps. */
function supervisorName(made: ProcessInstance): string {
  return readFileSync(`/proc/${findSupervisorPid(made.layout.directory)}/comm`, 'utf8').trimEnd()
}

test.runIf(isRoot)('a supervisor that starts on a full disk takes over services without a record', async () => {
  using disk = mountSmallDisk()
  await using made = createInstance({ state: disk.directory })
  await made.install('web', { command: ['sleep', '1000'], restart: always })
  await made.act('start', 'web')
  const first = await made.observe('web')
  disk.fill()
  process.kill(first.pid ?? 0, 'SIGKILL')
  const second = await another(made, 'web', first.pid)
  await made.killSupervisor()
  expect(await made.observe('web')).toMatchObject({ state: 'running', pid: second, supervised: false })
  await made.act('start', 'web')
  expect(await made.observe('web')).toMatchObject({ state: 'running', pid: second, supervised: true })
  process.kill(second, 'SIGKILL')
  const third = await another(made, 'web', first.pid, second)
  disk.free()
  await eventually('all is written down', async () => (await unwritable(made)).length === 0)
  expect(await made.observe('web')).toMatchObject({ state: 'running', pid: third })
})

/** Pid of a run other than this one, observed running. */
function another(made: ProcessInstance, service: string, ...before: readonly (number | undefined)[]): Promise<number> {
  return eventually(`${service} runs anew`, async () => {
    const { state, pid } = await made.observe(service)
    return state === 'running' && pid !== undefined && !before.includes(pid) && isRunning(pid) ? pid : undefined
  })
}

for (const { what, block, clear, reason } of [
  {
    what: 'full',
    block: (disk: ReturnType<typeof mountSmallDisk>) => disk.fill(),
    clear: (disk: ReturnType<typeof mountSmallDisk>) => disk.free(),
    reason: 'ENOSPC',
  },
  {
    what: 'read-only',
    block: (disk: ReturnType<typeof mountSmallDisk>) => disk.setReadOnly(true),
    clear: (disk: ReturnType<typeof mountSmallDisk>) => disk.setReadOnly(false),
    reason: 'EROFS',
  },
]) {
  test.runIf(isRoot)(
    `with the disk of the supervisor ${what}, services stay supervised, and the supervisor reports it`,
    async () => {
      using disk = mountSmallDisk()
      await using made = createInstance({ state: disk.directory })
      for (const service of ['web', 'job', 'idle'])
        await made.install(service, { command: ['sleep', '1000'], restart: always })
      await made.act('start', 'web', 'job')
      const first = await made.observe('web')
      const name = supervisorName(made)
      block(disk)
      process.kill(first.pid ?? 0, 'SIGKILL')
      const second = await another(made, 'web', first.pid)
      const again = await made.observe('web')
      expect(again).toMatchObject({ exit: { signal: 'KILL' }, totalRestarts: 1, supervised: true })
      process.kill(second, 'SIGTERM')
      const third = await another(made, 'web', first.pid, second)
      expect(await made.observe('web')).toMatchObject({ exit: { signal: 'TERM' }, totalRestarts: 2 })
      // Requests are executed.
      await made.act('stop', 'job')
      expect(await made.observe('job')).toMatchObject({ state: 'stopped' })
      await made.act('start', 'idle')
      const idle = await made.observe('idle')
      expect(idle).toMatchObject({ state: 'running' })
      await made.act('restart', 'web')
      const fourth = await another(made, 'web', first.pid, second, third)
      expect(isRunning(third)).toBe(false)
      const [place] = await unwritable(made)
      expect(place).toMatchObject({ message: expect.stringContaining(reason), since: expect.any(Number) })
      // Nobody connects to a supervisor without this name (E2).
      expect(supervisorName(made)).toBe(tellingName)
      // The problem clears by itself, and nothing is restarted because of it.
      clear(disk)
      await eventually('all is written down', async () => (await unwritable(made)).length === 0)
      // An output that could not be opened is reported until the next start.
      const [output] = await listUnwritable(made)
      expect(supervisorName(made)).toBe(output ? tellingName : name)
      expect(await made.observe('web')).toMatchObject({ state: 'running', pid: fourth })
      await made.killSupervisor()
      expect(await made.observe('web')).toMatchObject({ state: 'running', pid: fourth, supervised: false })
      expect(await made.observe('idle')).toMatchObject({ state: 'running', pid: idle.pid })
      expect(await made.observe('job')).toMatchObject({ state: 'stopped' })
      await made.act('enable', 'web')
      expect(await made.see('web', 'running')).toMatchObject({ pid: fourth, supervised: true })
      process.kill(fourth, 'SIGKILL')
      await another(made, 'web', fourth)
    },
  )
}

test.runIf(isRoot)(
  "an output opened by the service's user on a read-only disk is reported with the cause",
  async () => {
    using disk = mountSmallDisk()
    await using made = createInstance()
    const nobody = 65_534
    chownSync(disk.directory, nobody, nobody)
    chmodSync(disk.directory, 0o755)
    const file = `${disk.directory}/web.log`
    await made.install('web', { command: ['sleep', '1000'], user: 'nobody', output: { file }, restart: never })
    disk.setReadOnly(true)
    await made.attempt('start', 'web')
    const { message } = await made.see('web', 'failed')
    expect(message).toContain(
      `cannot append output to ${file} as user ${nobody}: the file system is read-only (EROFS); make it writable (mount -o remount,rw ${disk.directory};`,
    )
    disk.setReadOnly(false)
    await made.act('start', 'web')
    expect(await made.see('web', 'running')).toMatchObject({ state: 'running' })
  },
)
