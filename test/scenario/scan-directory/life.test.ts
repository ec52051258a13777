import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive, withLab } from '../../../src/conformance/lab.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { daemontoolsHarness, scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

const host = createReadHost()

/** How people stop a service without Reeve, by scanner. */
const stopByHand: Readonly<Record<string, readonly string[]>> = {
  runsvdir: ['sv', 'down'],
  's6-svscan': ['s6-svc', '-d'],
  svscan: ['svc', '-d'],
}

for (const [index, { scanner, harness }] of scanFamilies.entries()) {
  /** Argument of a `sleep` that is unique on the machine. */
  const argumentOf = (story: number): string => String(1_000_400 + 10 * index + story)

  describe.skipIf(!has(scanner)).concurrent(harness.provider.type, { timeout: 300_000 }, () => {
    test('a service whose supervisor is killed never has a second copy, and is supervised again', async () => {
      await withLab(harness, async lab => {
        const argument = argumentOf(1)
        lab.declare({ web: { process: { command: ['/bin/sleep', argument] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        process.kill(supervisorOf(pid), 'SIGKILL')
        await eventually('another process, under another supervisor', async () => {
          expect(countProcesses(argument)).toBeLessThanOrEqual(1)
          const found = await lab.observe('web')
          return found.supervised && found.state === 'running' && found.pid !== pid
        })
        expect(isAlive(pid)).toBe(false)
        expect((await lab.plan()).facilities).toMatchObject([{ change: 'none', steps: [] }])
      })
    })

    test('a disabled service keeps running without a supervisor, which is reported, until the next pass', async () => {
      await withLab(harness, async lab => {
        const argument = argumentOf(2)
        lab.declare({ web: { process: { command: ['/bin/sleep', argument] }, enabled: false } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        const before = supervisorOf(pid)
        process.kill(before, 'SIGKILL')
        await eventually('its supervisor to be gone', () => !isAlive(before))
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: false, pid })
        expect((await lab.observe('web')).message).toContain('was killed, and left process')
        const plan = await lab.plan()
        expect(plan.facilities[0]?.steps.map(({ verb, reason }) => [verb, reason])).toEqual([['start', 'unsupervised']])
        await lab.converge()
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, enabled: false })
        expect([isAlive(pid), countProcesses(argument)]).toEqual([false, 1])
      })
    })

    test('an orphan is stopped on request', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/sleep', argumentOf(3)] }, enabled: false } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        process.kill(supervisorOf(pid), 'SIGKILL')
        await lab.control.act('stop', 'web')
        expect([isAlive(pid), (await lab.observe('web')).state]).toEqual([false, 'stopped'])
      })
    })

    test('output goes to the declared file, also when it is declared later, or changed', async () => {
      await withLab(harness, async lab => {
        const file = join(lab.directory, `it's $(id) "web".log`)
        const command = ['/bin/sh', '-c', 'echo out; echo err >&2; exec sleep 1000000']
        lab.declare({ web: { process: { command } } })
        await lab.converge()
        lab.declare({ web: { process: { command, output: { file } } } })
        await lab.converge()
        await eventually('both lines', () => existsSync(file) && /out\nerr\n/.test(readFileSync(file, 'utf8')))
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, enabled: true })
        expect((await lab.plan()).summary.unchanged).toBe(1)
        lab.declare({ web: { process: { command } } })
        await lab.converge()
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, enabled: true })
        expect(readFileSync(file, 'utf8').match(/out/g)).toHaveLength(1)
      })
    })

    test('a paused service is reported as paused, and a stopped one with its time', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/sleep', argumentOf(4)] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        const control = join(host.realPath(`/proc/${supervisorOf(pid)}/cwd`) ?? '', 'supervise/control')
        createWriteHost().writePipe(control, 'p')
        await eventually('it to be said', async () => (await lab.observe('web')).message?.includes('paused') === true)
        createWriteHost().writePipe(control, 'c')
        const before = Date.now()
        await lab.control.act('stop', 'web')
        // Their clocks differ.
        const { since = 0 } = await lab.observe('web')
        expect([since > before - 1_000, since <= Date.now()]).toEqual([true, true])
      })
    })

    test('the stop signal is the declared one, by Reeve and manually', async () => {
      await withLab(harness, async lab => {
        const seen = join(lab.directory, 'seen')
        const up = join(lab.directory, 'up')
        const script = `trap 'echo QUIT >>${seen}; exit 0' QUIT; trap 'echo TERM >>${seen}' TERM; echo up >>${up}; while :; do sleep 0.05; done`
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', script], stop: { signal: 'QUIT' } } } })
        await lab.converge()
        const count = (path: string): number => readQuietly(path).split('\n').length - 1
        await eventually('the traps to be set', () => count(up) === 1)
        const directory = host.realPath(`/proc/${supervisorOf((await lab.observe('web')).pid ?? 0)}/cwd`) ?? ''
        await lab.control.act('stop', 'web')
        expect(readQuietly(seen)).toBe('QUIT\n')
        await lab.control.act('start', 'web')
        await eventually('the traps to be set again', () => count(up) === 2)
        const [program = '', ...words] = stopByHand[scanner] ?? []
        spawnSync(program, [...words, directory])
        await eventually('the signal to be seen', () => readQuietly(seen) === 'QUIT\nQUIT\n')
        await eventually('it to be down', async () => (await lab.observe('web')).state === 'stopped')
      })
    })

    test('a start that is manually revoked before its run script reaches the service is over at once', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/sleep', argumentOf(5)] } } })
        await lab.converge()
        const directory = host.realPath(`/proc/${supervisorOf((await lab.observe('web')).pid ?? 0)}/cwd`) ?? ''
        await lab.control.act('stop', 'web')
        // It never reaches the service.
        const slow = argumentOf(6)
        writeFileSync(join(directory, 'run'), `#!/bin/sh\nexec /bin/sleep ${slow}\n`)
        const [began, started] = [Date.now(), lab.control.act('start', 'web').catch(String)]
        await eventually('it to be on its way', () => countProcesses(slow) === 1)
        const [program = '', ...words] = stopByHand[scanner] ?? []
        spawnSync(program, [...words, directory])
        await started
        expect(Date.now() - began).toBeLessThan(30_000)
        expect((await lab.observe('web')).state).toBe('stopped')
      })
    })

    test('a service that exits too often waits for its next start, but starts on request', async () => {
      await withLab(harness, async lab => {
        const record = (name: string): readonly string[] => [
          '/bin/sh',
          '-c',
          `date +%s >>${join(lab.directory, name)}; exec sleep 1000000`,
        ]
        const started = (name: string): number[] =>
          readQuietly(join(lab.directory, name)).split('\n').filter(Boolean).map(Number)
        // Too long to be mistaken for the delay, even on a busy machine.
        const restart = { delay: '100s' }
        lab.declare({
          web: { process: { command: record('web'), restart: { delay: '4s' } } },
          start: { process: { command: record('start'), restart } },
          restart: { process: { command: record('restart'), restart } },
        })
        await lab.converge()
        const definitions = String(lab.supervisor.options.definitionDirectory)
        const names = ['web', 'start', 'restart'] as const
        await eventually('all to run', () => names.every(name => started(name).length === 1))
        for (const name of names) process.kill((await lab.observe(name)).pid ?? 0, 'SIGKILL')
        for (const verb of ['start', 'restart'] as const) {
          await eventually('it to wait', () => sleepsIn(join(definitions, verb)))
          await lab.control.act(verb, verb)
          await eventually(`the ${verb}`, () => started(verb).length >= 2)
          const [before = 0, after = 0] = started(verb)
          expect(after - before).toBeLessThan(90)
        }
        await eventually('it to run again', () => started('web').length === 2)
        const [first = 0, second = 0] = started('web')
        expect(second - first).toBeGreaterThanOrEqual(3)
      })
    })

    test('a job that exits successfully is completed, and one that fails for good shows its exit', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/true'], restart: { policy: 'on-failure' } } } })
        await lab.converge()
        expect(await lab.observe('web')).toMatchObject({ state: 'stopped', completed: true, exit: { code: 0 } })
        expect((await lab.plan()).summary.unchanged).toBe(1)
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'exit 3'], restart: { policy: 'never' } } } })
        await lab.apply()
        expect(await lab.observe('web')).toMatchObject({ state: 'failed', exit: { code: 3 } })
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'kill -9 $$'], restart: { policy: 'never' } } } })
        await lab.apply()
        expect(await lab.observe('web')).toMatchObject({ state: 'failed', exit: { signal: 'KILL' } })
      })
    })
  })
}

describe
  .skipIf(!has('svscan'))
  .concurrent('the run script that stays, under daemontools,', { timeout: 300_000 }, () => {
    test('stops the service when it is killed, before another one is started', async () => {
      await withLab(daemontoolsHarness, async lab => {
        const argument = '1000491'
        lab.declare({ web: { process: { command: ['/bin/sleep', argument] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        process.kill(host.process(pid)?.parent ?? 0, 'SIGKILL')
        await eventually('another process', async () => {
          expect(countProcesses(argument)).toBeLessThanOrEqual(1)
          const found = await lab.observe('web')
          return found.supervised && found.state === 'running' && found.pid !== pid
        })
        expect(isAlive(pid)).toBe(false)
      })
    })

    test('stops as declared on svc -d, passes other signals on, and does not ignore INT', async () => {
      await withLab(daemontoolsHarness, async lab => {
        const seen = join(lab.directory, 'seen')
        const up = join(lab.directory, 'up')
        const trapped = ['HUP', 'ALRM', 'INT'].map(signal => `trap 'echo ${signal} >>${seen}' ${signal}`).join('; ')
        const script = `${trapped}; trap 'echo QUIT >>${seen}; exit 0' QUIT; : >${up}; while :; do sleep 0.05; done`
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', script], stop: { signal: 'QUIT' } } } })
        await lab.converge()
        await eventually('the traps to be set', () => existsSync(up))
        const { pid = 0 } = await lab.observe('web')
        const directory = host.realPath(`/proc/${supervisorOf(pid)}/cwd`) ?? ''
        for (const [option, signal] of [
          ['-h', 'HUP'],
          ['-a', 'ALRM'],
          ['-i', 'INT'],
          ['-d', 'QUIT'],
        ] as const) {
          spawnSync('svc', [option, directory])
          await eventually(`${signal} to be seen`, () => readQuietly(seen).endsWith(`${signal}\n`))
        }
        await eventually('it to be down', async () => (await lab.observe('web')).state === 'stopped')
        expect(readQuietly(seen)).toBe('HUP\nALRM\nINT\nQUIT\n')
        expect((await lab.observe('web')).exit).toEqual({ code: 0 })
      })
    })
  })

/** daemontools has the run script between the two. */
function supervisorOf(pid: number): number {
  const parent = host.process(pid)?.parent ?? 0
  if (parent <= 1) throw new Error(`process ${pid} has no supervisor`)
  const name = readQuietly(`/proc/${parent}/comm`).trim()
  return ['runsv', 's6-supervise', 'supervise'].includes(name) ? parent : supervisorOf(parent)
}

/** True if a script of that definition is waiting; other scripts work. */
function sleepsIn(definition: string): boolean {
  return host.processes().some(pid => {
    const isSleep = readQuietly(`/proc/${pid}/cmdline`).startsWith('sleep\0')
    return isSleep && host.realPath(`/proc/${pid}/cwd`) === definition
  })
}

/** Pids of the `sleep` with that argument. */
function countProcesses(argument: string): number {
  return readdirSync('/proc').filter(name => {
    const words = /^\d+$/.test(name) ? readQuietly(`/proc/${name}/cmdline`).split('\0') : []
    return words[0] === '/bin/sleep' && words[1] === argument && isAlive(Number(name))
  }).length
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended
  }
}
