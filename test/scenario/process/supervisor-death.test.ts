import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { parseObject } from '../../../src/core/outside-value.ts'
import type { Observed } from '../../../src/core/state/observed.ts'
import { bundleProgram } from '../../tools/bundled-program.ts'
import { createInstance, isRunning, type ProcessInstance } from '../process-instance.ts'

describe('E16: services outlive their supervisor:', () => {
  test('a service keeps running while the supervisor is dead, and the next one takes it over', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const before = await made.observe('web')
    await made.killSupervisor()
    expect(await made.observe('web')).toMatchObject({ state: 'running', supervised: false, pid: before.pid })
    await made.act('start', 'web')
    expect(await made.observe('web')).toEqual(before)
    // It is supervised again.
    process.kill(before.pid ?? 0, 'SIGKILL')
    await eventually('it runs anew', async () => {
      const { state, pid } = await made.observe('web')
      return (state === 'running' && pid !== before.pid) || undefined
    })
  })

  test('SIGTERM ends the supervisor and no service', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    process.kill(made.supervisor() ?? 0, 'SIGTERM')
    await eventually('the supervisor is gone', () => made.supervisor() === undefined)
    expect(isRunning(pid)).toBe(true)
    expect(await made.observe('web')).toMatchObject({ state: 'running', supervised: false, pid })
  })

  test('E18: the next supervisor of a deleted directory takes over running services, and the former one is ended', async () => {
    await using made = createInstance()
    const command = ['sleep', '1000']
    await made.install('web', { command, restart: { policy: 'always', delay: 0 } })
    await made.act('start', 'web')
    const { pid } = await made.observe('web')
    const before = made.supervisor() ?? 0
    rmSync(made.layout.directory, { recursive: true })
    await made.install('web', { command, restart: { policy: 'always', delay: 0 } })
    await made.act('start', 'web')
    expect(await made.observe('web')).toMatchObject({ state: 'running', supervised: true, pid })
    expect([isRunning(before), made.supervisor()]).not.toEqual([true, before])
    await made.act('stop', 'web')
    await eventually('it is gone, and none comes in its place', () => !isRunning(pid ?? 0))
    expect(isRunning(before)).toBe(false)
    expect(await made.observe('web')).toMatchObject({ state: 'stopped' })
  })

  test('an exit status is kept while there is no supervisor', async () => {
    await using made = createInstance()
    const command = ['sh', '-c', 'until [ -e end ]; do sleep 0.02; done; exit "$(cat end)"']
    for (const [service, policy] of [
      ['failing', 'never'],
      ['ending', 'on-failure'],
    ] as const) {
      mkdirSync(`${made.scratch}/${service}`)
      await made.install(service, {
        command,
        workingDirectory: `${made.scratch}/${service}`,
        restart: { policy, delay: 0 },
      })
    }
    await made.act('start', 'failing', 'ending')
    await made.killSupervisor()
    end(made, 'failing', 7)
    end(made, 'ending', 0)
    const failed = await made.see('failing', 'failed')
    expect(failed).toMatchObject({ supervised: false, exit: { code: 7 } })
    expect(await made.see('ending', 'stopped')).toMatchObject({ supervised: false, completed: true, exit: { code: 0 } })
    await made.act('enable', 'failing')
    expect(await eventually('it is settled', () => supervised(made, 'failing'))).toMatchObject({
      state: 'failed',
      exit: { code: 7 },
    })
    expect(await made.observe('ending')).toMatchObject({ state: 'stopped', completed: true, exit: { code: 0 } })
  })

  test('a service that was killed while there was no supervisor is started again by the next one', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'], restart: { policy: 'always', delay: 0 } })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    await made.killSupervisor()
    process.kill(pid, 'SIGKILL')
    expect(await made.see('web', 'stopped')).toMatchObject({ supervised: false, exit: { signal: 'KILL' } })
    await made.act('enable', 'web')
    expect((await made.see('web', 'running')).pid).not.toBe(pid)
  })

  test('a stop during which the supervisor was killed is completed by the next one', async () => {
    await using made = createInstance()
    const program = "trap '' TERM; echo >up; while :; do sleep 0.05; done"
    await made.install('web', {
      command: ['sh', '-c', program],
      workingDirectory: made.scratch,
      stop: { signal: 'TERM', timeout: 1_000 },
    })
    await made.act('start', 'web')
    await eventually('it ignores TERM', () => made.host.facts(`${made.scratch}/up`))
    const stopping = made.attempt('stop', 'web')
    await made.see('web', 'stopping')
    await made.killSupervisor()
    expect(await stopping).toMatchObject({ ok: true })
    expect(await made.observe('web')).toMatchObject({ state: 'stopped', exit: { signal: 'KILL' } })
  })

  test('a service whose shim was killed keeps running, supervised', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'], restart: { policy: 'always', delay: 0 } })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    const shim = made.host.process(pid)?.parent ?? 0
    expect(made.host.readText(`/proc/${shim}/cmdline`)).toContain('web~1.sh')
    process.kill(shim, 'SIGKILL')
    await eventually('the shim is gone', () => !isRunning(shim))
    expect(await made.observe('web')).toMatchObject({ state: 'running', pid })
    process.kill(pid, 'SIGKILL')
    const again = await eventually('it runs anew', async () => {
      const observed = await made.observe('web')
      return observed.state === 'running' && observed.pid !== pid ? observed : undefined
    })
    expect(again.exit).toEqual({})
  })

  test('a lost record is restored from the live run', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const { pid } = await made.observe('web')
    await made.killSupervisor()
    made.host.removeFile(`${made.layout.state}/web.json`)
    expect(await made.observe('web')).toMatchObject({ state: 'running', pid })
    await made.act('start', 'web')
    expect(await made.see('web', 'running')).toMatchObject({ pid, supervised: true })
  })
})

test('PITFALLS 6: a supervisor without events from the kernel does the same, only later', async () => {
  using daemon = await bundleProgram(new URL('../children/crashing-supervisor.ts', import.meta.url))
  await using made = createInstance({ command: [process.execPath, daemon.path, 'deaf'] })
  await made.install('web', { command: ['sleep', '1000'], restart: { policy: 'always', delay: 0 } })
  await made.act('start', 'web')
  const { pid = 0 } = await made.observe('web')
  process.kill(pid, 'SIGKILL')
  const again = await eventually('it runs anew', async () => {
    const observed = await made.observe('web')
    return observed.state === 'running' && observed.pid !== pid ? observed : undefined
  })
  expect(again.exit).toEqual({ signal: 'KILL' })
  await made.act('restart', 'web')
  await made.act('stop', 'web')
  expect((await made.observe('web')).state).toBe('stopped')
})

test('E15: of many clients that want a supervisor at once, all get the same one', async () => {
  await using made = createInstance()
  const services = Array.from({ length: 6 }, (_, index) => `s${index}`)
  for (const service of services) await made.install(service, { command: ['sleep', '1000'] })
  await Promise.all(services.map(service => made.act('start', service)))
  const pid = made.supervisor()
  for (const service of services)
    expect(await made.observe(service)).toMatchObject({ state: 'running', supervised: true })
  // Those that came too late take away what they have claimed with, and end.
  const lives = await eventually('one supervisor alone', () => {
    const found = readdirSync(made.layout.lock)
    return found.length === 1 ? found : undefined
  })
  expect(lives[0]).toMatch(new RegExp(`^${pid}-`))
})

test('a supervisor that ends or is suspended by SIGSTOP causes a hint, though the kernel reports nothing', async () => {
  await using made = createInstance()
  await made.install('web', { command: ['sleep', '1000'] })
  await made.act('start', 'web')
  let hints = 0
  using _watch = made.observer.watch?.(service => {
    if (service === undefined) hints += 1
  })
  const signals: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT', 'SIGKILL']
  for (const signal of signals) {
    const before = hints
    process.kill(made.supervisor() ?? 0, signal)
    await eventually(`${signal} is hinted at`, () => hints > before)
  }
})

describe('E7: an unreadable state is unknown, with the reason:', () => {
  test('of a supervisor suspended by SIGSTOP', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const pid = made.supervisor() ?? 0
    process.kill(pid, 'SIGSTOP')
    const reason = await eventually('it is seen', async () => {
      const probed = await made.observer.probe()
      return probed.available ? undefined : probed.reason
    })
    expect(reason).toContain(`kill -CONT ${pid}`)
    expect(await made.observe('web')).toMatchObject({ state: 'unknown', enabled: 'unknown', message: reason })
    const result = await made.attempt('restart', 'web')
    expect(!result.ok && result.error).toMatchObject({ code: 'unavailable' })
    process.kill(pid, 'SIGCONT')
    await made.see('web', 'running')
  })

  test('of a directory that is no directory, or that others can write to', async () => {
    await using made = createInstance()
    writeFileSync(made.layout.directory, '')
    expect(await made.observe('web')).toMatchObject({ state: 'unknown' })
    made.host.removeFile(made.layout.directory)
    mkdirSync(made.layout.directory)
    chmodSync(made.layout.directory, 0o777)
    expect(await made.observer.probe()).toMatchObject({
      available: false,
      reason: expect.stringContaining('chmod'),
    })
    chmodSync(made.layout.directory, 0o700)
    expect(await made.observer.probe()).toMatchObject({ available: true })
  })
})

describe('a recycled pid is never signalled:', () => {
  test('a record whose pid now belongs to another process leaves that one alone', async () => {
    await using made = createInstance()
    const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
    try {
      await made.install('web', { command: ['sleep', '1000'], restart: { policy: 'never', delay: 0 } })
      await made.act('start', 'web')
      const { pid = 0 } = await made.observe('web')
      await made.killSupervisor()
      const shim = made.host.process(pid)?.parent ?? 0
      process.kill(shim, 'SIGKILL')
      process.kill(pid, 'SIGKILL')
      // As if the kernel had given the pid, and the group and session of that number, to the stranger.
      forge(made, pid, stranger.pid ?? 0)
      expect(await made.observe('web')).not.toMatchObject({ state: 'running' })
      await made.act('stop', 'web')
      await made.act('start', 'web')
      await made.act('remove', 'web')
      expect(isRunning(stranger.pid ?? 0)).toBe(true)
    } finally {
      stranger.kill('SIGKILL')
    }
  })
})

describe('a boot', () => {
  test('starts enabled services, and no others, whatever ran before', async () => {
    await using made = createInstance()
    for (const service of ['on', 'off', 'idle']) await made.install(service, { command: ['sleep', '1000'] })
    await made.act('enable', 'on', 'idle')
    await made.act('start', 'on', 'off')
    const { pid: before = 0 } = await made.observe('on')
    const { pid: other = 0 } = await made.observe('off')
    await powerOff(made, [before, other])
    expect(await made.observe('on')).toMatchObject({ state: 'stopped', supervised: false })
    // Any access starts the supervisor.
    await made.act('disable', 'off')
    expect((await made.see('on', 'running')).pid).not.toBe(before)
    await made.see('idle', 'running')
    expect(await eventually('it is settled', () => supervised(made, 'off'))).toMatchObject({ state: 'stopped' })
  })
})

function end(made: ProcessInstance, service: string, code: number): void {
  writeFileSync(`${made.scratch}/${service}/.end`, String(code))
  renameSync(`${made.scratch}/${service}/.end`, `${made.scratch}/${service}/end`)
}

async function supervised(made: ProcessInstance, service: string): Promise<Observed | undefined> {
  const observed = await made.observe(service)
  return observed.supervised ? observed : undefined
}

/** Replaces the pid of the service, leaving start times as they are. */
function forge(made: ProcessInstance, from: number, to: number): void {
  const pidFile = `${made.layout.runs}/web~1.pid`
  writeFileSync(pidFile, (made.host.readText(pidFile) ?? '').replace(`${from} `, `${to} `))
  const record = `${made.layout.state}/web.json`
  writeFileSync(record, (made.host.readText(record) ?? '').replace(`"pid": ${from}`, `"pid": ${to}`))
}

/** Kills all processes at once; the records are then of an earlier boot. */
async function powerOff(made: ProcessInstance, pids: readonly number[]): Promise<void> {
  await made.killSupervisor()
  for (const pid of pids) {
    const shim = made.host.process(pid)?.parent ?? 0
    process.kill(shim, 'SIGKILL')
    process.kill(-pid, 'SIGKILL')
    await eventually('they are gone', () => !isRunning(pid) && !isRunning(shim))
  }
  for (const file of readdirSync(made.layout.state)) {
    const path = `${made.layout.state}/${file}`
    const record = parseObject(made.host.readText(path) ?? '')
    writeFileSync(path, JSON.stringify({ ...record, boot: 'an earlier boot' }))
  }
}
