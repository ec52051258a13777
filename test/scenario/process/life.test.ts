import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createInstance, findProcesses, isRunning } from '../process-instance.ts'

describe('every verb is idempotent:', () => {
  test('start, start again, restart, stop, stop again, restart a stopped service', async () => {
    await using made = createInstance()
    expect(await made.observe('web')).toMatchObject({ state: 'absent', enabled: false })
    await made.install('web', { command: ['sleep', '1000'] })
    expect(await made.observe('web')).toMatchObject({ state: 'stopped', supervised: false })
    await made.act('start', 'web')
    const first = await made.observe('web')
    expect(first).toMatchObject({ state: 'running', supervised: true, restarts: 0 })
    await made.act('start', 'web')
    expect((await made.observe('web')).pid).toBe(first.pid)
    await made.act('restart', 'web')
    const second = await made.observe('web')
    expect(second.state).toBe('running')
    expect(second.pid).not.toBe(first.pid)
    await made.act('stop', 'web')
    expect(await made.observe('web')).toMatchObject({ state: 'stopped', exit: { signal: 'TERM' } })
    await made.act('stop', 'web')
    await made.act('restart', 'web')
    expect((await made.observe('web')).state).toBe('running')
  })

  test('enable and disable leave a running service alone', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('enable', 'web')
    await made.act('enable', 'web')
    expect(await made.observe('web')).toMatchObject({ state: 'stopped', enabled: true, supervised: true })
    await made.act('start', 'web')
    await made.act('disable', 'web')
    await made.act('disable', 'web')
    expect(await made.observe('web')).toMatchObject({ state: 'running', enabled: false })
  })

  test('remove stops the service and leaves nothing; then the supervisor ends', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('enable', 'web')
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    await made.act('remove', 'web')
    expect(isRunning(pid)).toBe(false)
    await made.act('remove', 'web')
    const { layout, host } = made
    for (const path of [layout.definitions, layout.enabled, layout.state, layout.runs, layout.logs]) {
      expect(host.readDirectory(path)).toEqual([])
    }
    expect(await made.observe('web')).toMatchObject({ state: 'absent', enabled: false })
    await eventually('the supervisor has ended', () => made.supervisor() === undefined)
    expect(host.facts(layout.socket)).toBeUndefined()
  })

  test('start of a service that is not installed, or whose program is missing, fails with the reason', async () => {
    await using made = createInstance()
    const missing = await made.attempt('start', 'web')
    expect(!missing.ok && missing.error.message).toContain('no service web is installed')
    await made.install('web', { command: ['/nowhere/at-all'], restart: { policy: 'never', delay: 0 } })
    const failed = await made.attempt('start', 'web')
    expect(!failed.ok && failed.error.message).toBe('there is no program /nowhere/at-all')
    expect(await made.observe('web')).toMatchObject({ state: 'failed', message: 'there is no program /nowhere/at-all' })
    await made.install('web', { command: ['no-such-program'], restart: { policy: 'never', delay: 0 } })
    const unknown = await made.attempt('start', 'web')
    expect(!unknown.ok && unknown.error.message).toContain("no-such-program can't be executed")
  })

  test('an aborted action is reported at once, and the others continue', async () => {
    await using made = createInstance()
    await made.install('slow', {
      command: ['sh', '-c', "trap '' TERM; touch ready; while :; do sleep 0.1; done"],
      workingDirectory: made.scratch,
      stop: { signal: 'TERM', timeout: 600_000 },
    })
    await made.act('start', 'slow')
    await eventually('it ignores TERM', () => made.host.facts(`${made.scratch}/ready`))
    const giveUp = new AbortController()
    const stopping = made.attempt('stop', 'slow', giveUp.signal)
    await made.see('slow', 'stopping')
    giveUp.abort()
    const result = await stopping
    expect(!result.ok && result.error).toMatchObject({ code: 'aborted' })
    expect((await made.observe('slow')).state).toBe('stopping')
  })
})

describe('restart policy', () => {
  test('always restarts a killed service, at once if it ran for longer than the delay', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'], restart: { policy: 'always', delay: 0 } })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    process.kill(pid, 'SIGKILL')
    const again = await eventually('it runs anew', async () => {
      const observed = await made.observe('web')
      return observed.state === 'running' && observed.pid !== pid ? observed : undefined
    })
    expect(again).toMatchObject({ exit: { signal: 'KILL' }, restarts: 1 })
  })

  test('on-failure lets exit code 0 end the service, and no other code', async () => {
    await using made = createInstance()
    await made.install('job', {
      command: ['sh', '-c', 'echo run >>runs; [ "$(wc -l <runs)" -ge 3 ] || exit 5'],
      workingDirectory: made.scratch,
      restart: { policy: 'on-failure', delay: 50 },
    })
    await made.act('start', 'job')
    const observed = await made.see('job', 'stopped')
    expect(observed).toMatchObject({ completed: true, exit: { code: 0 }, supervised: true })
    expect(observed.loaded).toBeDefined()
    expect(made.read('runs')).toBe('run\n'.repeat(3))
  })

  test('never makes another code than 0 a failure, until a manual start', async () => {
    await using made = createInstance()
    await made.install('job', {
      command: ['sh', '-c', 'echo run >>runs; exit 9'],
      workingDirectory: made.scratch,
      restart: { policy: 'never', delay: 0 },
    })
    await made.act('start', 'job')
    expect(await made.see('job', 'failed')).toMatchObject({ exit: { code: 9 } })
    await made.act('start', 'job')
    await eventually('it has run twice', () => made.read('runs') === 'run\nrun\n')
    await made.see('job', 'failed')
  })

  test('E11: delays a service that keeps exiting ever longer: it is starting, and stops at once on request', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sh', '-c', 'exit 3'], restart: { policy: 'always', delay: 200 } })
    await made.act('start', 'web')
    const observed = await eventually('it is in backoff after some ends', async () => {
      const found = await made.observe('web')
      return found.state === 'starting' && (found.restarts ?? 0) >= 4 && found.message?.startsWith('waiting')
        ? found
        : undefined
    })
    expect(observed).toMatchObject({ exit: { code: 3 }, supervised: true })
    expect(observed.pid).toBeUndefined()
    expect(observed.message).toBe('waiting before the next restart: it ended by itself with exit code 3')
    await made.act('stop', 'web')
    expect((await made.observe('web')).state).toBe('stopped')
  })
})

describe('stop', () => {
  test('signals the whole group, and sends KILL after the timeout to those that ignore it', async () => {
    await using made = createInstance()
    const mark = String(1_000_000 + process.pid)
    await made.install('web', {
      command: [
        'sh',
        '-c',
        `(trap '' INT TERM; echo >child; exec sleep ${mark}) & trap '' INT TERM; echo >main; sleep ${mark}; wait`,
      ],
      workingDirectory: made.scratch,
      stop: { signal: 'INT', timeout: 300 },
    })
    await made.act('start', 'web')
    await eventually(
      'both are up',
      () => (made.host.facts(`${made.scratch}/child`) && made.host.facts(`${made.scratch}/main`)) || undefined,
    )
    await eventually('both sleep', () => findProcesses(mark).length >= 2)
    const begun = Date.now()
    await made.act('stop', 'web')
    expect(Date.now() - begun).toBeGreaterThanOrEqual(290)
    expect(findProcesses(mark)).toEqual([])
    expect((await made.observe('web')).exit).toEqual({ signal: 'KILL' })
  })

  test('waits for a member of the group even if the main process has ended', async () => {
    await using made = createInstance()
    await made.install('web', {
      command: [
        'sh',
        '-c',
        "(trap 'sleep 0.4; echo clean >bye; exit' TERM; echo >up; while :; do sleep 0.05; done) & exec sleep 1000",
      ],
      workingDirectory: made.scratch,
      stop: { signal: 'TERM', timeout: 10_000 },
    })
    await made.act('start', 'web')
    await eventually('the member is up', () => made.host.facts(`${made.scratch}/up`))
    await made.act('stop', 'web')
    expect(made.read('bye')).toBe('clean\n')
  })

  test('is preceded by a kill: what a crashed main process left of its group dies before the next run', async () => {
    await using made = createInstance()
    const mark = String(2_000_000 + process.pid)
    await made.install('web', {
      command: ['sh', '-c', `(trap '' TERM; exec sleep ${mark}) & echo run >>runs; exec sleep 1000`],
      workingDirectory: made.scratch,
      restart: { policy: 'always', delay: 0 },
    })
    await made.act('start', 'web')
    const [child] = await eventually('its member is up', () =>
      findProcesses(mark).length === 1 ? findProcesses(mark) : undefined,
    )
    process.kill((await made.observe('web')).pid ?? 0, 'SIGKILL')
    await eventually('it runs anew', () => made.read('runs') === 'run\nrun\n')
    const members = await eventually('its new member is up', () =>
      findProcesses(mark).length > 0 ? findProcesses(mark) : undefined,
    )
    expect(members).not.toContain(child)
    expect(members).toHaveLength(1)
  })

  test('ends a process suspended by SIGSTOP without waiting for KILL', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'], stop: { signal: 'TERM', timeout: 60_000 } })
    await made.act('start', 'web')
    process.kill((await made.observe('web')).pid ?? 0, 'SIGSTOP')
    await made.act('stop', 'web')
    expect((await made.observe('web')).exit).toEqual({ signal: 'TERM' })
  })
})

describe('reload', () => {
  test('reload signals the main process and records the loaded definition', async () => {
    await using made = createInstance()
    const file = `${made.scratch}/app.conf`
    made.host.writeFile(file, 'one', { mode: 0o644 })
    const program = "trap 'echo hup >>log' HUP; echo up >>log; while :; do sleep 0.05; done"
    await made.install(
      'web',
      { command: ['sh', '-c', program], workingDirectory: made.scratch, reload: { signal: 'HUP' } },
      { files: [file] },
    )
    await made.act('start', 'web')
    await eventually('it listens for HUP', () => made.host.readText(`${made.scratch}/log`) === 'up\n')
    const before = await made.observe('web')
    made.host.writeFile(file, 'two', { mode: 0o644 })
    expect((await made.observe('web')).loaded).toEqual(before.loaded)
    await made.act('reload', 'web')
    const after = await made.observe('web')
    expect(after.pid).toBe(before.pid)
    expect(after.loaded?.files[file]).not.toBe(before.loaded?.files[file])
    await eventually('it got the signal', () => made.read('log') === 'up\nhup\n')
  })

  test('by a command may fail; the loaded definition then stays as it was', async () => {
    await using made = createInstance()
    const file = `${made.scratch}/app.conf`
    made.host.writeFile(file, 'one', { mode: 0o644 })
    const command = ['sh', '-c', '[ -e broken ] && { echo bad config >&2; exit 4; }; echo "$MAINPID $A" >reloaded']
    await made.install(
      'web',
      { command: ['sleep', '1000'], workingDirectory: made.scratch, environment: { A: 'a b' }, reload: { command } },
      { files: [file] },
    )
    await made.act('start', 'web')
    const { pid, loaded } = await made.observe('web')
    await made.act('reload', 'web')
    expect(made.read('reloaded')).toBe(`${pid} a b\n`)
    made.host.writeFile(file, 'two', { mode: 0o644 })
    made.host.writeFile(`${made.scratch}/broken`, '', { mode: 0o644 })
    const result = await made.attempt('reload', 'web')
    expect(!result.ok && result.error.message).toBe('its reload command ended with exit code 4: bad config')
    expect((await made.observe('web')).loaded).toEqual(loaded)
  })

  test('does nothing to a stopped service; without a declared reload it restarts', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('reload', 'web')
    expect((await made.observe('web')).state).toBe('stopped')
    await made.act('start', 'web')
    const { pid } = await made.observe('web')
    await made.act('reload', 'web')
    const again = await made.observe('web')
    expect(again.state).toBe('running')
    expect(again.pid).not.toBe(pid)
  })
})
