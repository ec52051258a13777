import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive, type Lab, LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { makePlanRun } from '../../../src/engine/refresh/plan-run.ts'
import { bindAll } from '../../../src/engine/session/supervisor-instances.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { nobody, s6Harness, scanFamilies, serviceDirectoryOf, testWhere } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { openApplier, openObserver } from '../../tools/opened-provider.ts'
import { mountSmallDisk } from '../../tools/small-disk.ts'

/** Plan and status name it, and so does the failing step. */
async function toldOf(lab: Lab, path: string, words: RegExp): Promise<void> {
  const place = { supervisor: 'lab', path, message: expect.stringMatching(words) }
  expect((await lab.plan()).unwritable).toMatchObject([place])
  expect((await lab.control.status()).unwritable).toMatchObject([place])
  const { failed } = await lab.apply()
  expect(failed[0]?.message).toMatch(words)
}

for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider
  const hasFinish = scanner !== 'svscan'

  describe.skipIf(!has(scanner)).concurrent(type, { timeout: 300_000 }, () => {
    test('a directory that is replaced under its supervisor is reported, and there is never a second copy', async () => {
      await withLab(harness, async lab => {
        const mark = join(lab.directory, 'web')
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'sleep 1000000 & wait', mark] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        const definition = await serviceDirectoryOf(lab)
        // The scanner may rescan just now and begin to repair it.
        await lab.supervisor.makeUnavailable()
        cpSync(definition, `${definition}-new`, { recursive: true, filter: path => !path.endsWith('/supervise') })
        // The cleanup finds it there, and it is no service.
        renameSync(definition, join(dirname(definition), '.replaced'))
        renameSync(`${definition}-new`, definition)
        const instance = { name: 'lab', type, options: lab.supervisor.options, stateDirectory: '/', owner: 'me' }
        const seen = (await openObserver(harness.provider, instance).observe(['web'])).get('web')
        await lab.supervisor.makeAvailable()
        expect(seen).toMatchObject({ state: 'running', supervised: false, pid })
        expect(seen?.message).toContain(`${definition} was replaced`)
        await lab.converge()
        await eventually('one process, in the new directory', async () => {
          expect(countProcesses(mark)).toBeLessThanOrEqual(1)
          const found = await lab.observe('web')
          return found.supervised && found.state === 'running' && found.pid !== pid
        })
        await eventually('the old supervisor to be gone', () => !isAlive(pid))
        expect(countProcesses(mark)).toBe(1)
      })
    })

    test('a definition that is deleted is restored, and there is never a second copy', async () => {
      await withLab(harness, async lab => {
        const mark = join(lab.directory, 'web')
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'sleep 1000000 & wait', mark] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        rmSync(await serviceDirectoryOf(lab), { recursive: true })
        await lab.converge()
        await eventually('the old one to be gone', () => !isAlive(pid))
        const { pid: now, ...found } = await lab.observe('web')
        expect(found).toMatchObject({ state: 'running', supervised: true, enabled: true })
        expect([now === pid, countProcesses(mark)]).toEqual([false, 1])
      })
    })

    test('an adopted definition whose log is a link to another one leaves that one alone', async () => {
      await withLab(harness, async lab => {
        const shared = join(lab.directory, 'shared')
        const logger = '#!/bin/sh\nexec cat >/dev/null\n'
        mkdirSync(shared)
        writeFileSync(join(shared, 'run'), logger, { mode: 0o755 })
        const definitionOf = (name: string): string => join(String(lab.supervisor.options.definitionDirectory), name)
        for (const name of ['plain', 'logged']) {
          mkdirSync(definitionOf(name))
          writeFileSync(join(definitionOf(name), 'run'), '#!/bin/sh\nexec sleep 1000000\n', { mode: 0o755 })
          symlinkSync(shared, join(definitionOf(name), 'log'))
        }
        const output = { file: join(lab.directory, 'web.log') }
        lab.declare({
          plain: { process: { command: LONG_RUN }, adopt: true },
          logged: { process: { command: LONG_RUN, output }, adopt: true },
        })
        await lab.converge()
        expect((await lab.converge()).stepsDone).toBe(0)
        expect(readFileSync(join(shared, 'run'), 'utf8')).toBe(logger)
        // As somebody who wants it back.
        symlinkSync(shared, join(definitionOf('plain'), 'log'))
        lab.declare({})
        await lab.converge()
        expect([existsSync(definitionOf('plain')), existsSync(definitionOf('logged'))]).toEqual([false, false])
        expect(readFileSync(join(shared, 'run'), 'utf8')).toBe(logger)
      })
    })

    test('a missing scanner is reported, with what to do', async () => {
      const root = mkdtempSync(join(tmpdir(), 'reeve-scanner-'))
      const options = { serviceDirectory: join(root, 'service'), definitionDirectory: join(root, 'sv') }
      const instance = { name: 'lab', type, options, stateDirectory: root, owner: 'me' }
      using observer = openObserver(harness.provider, instance)
      const probe = async (): Promise<string> => {
        const found = await observer.probe()
        return found.available ? 'available' : found.reason
      }
      expect(await probe()).toContain(`there is no directory ${options.serviceDirectory}`)
      mkdirSync(options.serviceDirectory)
      expect(await probe()).toBe(`no ${scanner} scans ${options.serviceDirectory}; start one`)
      symlinkSync(options.serviceDirectory, options.definitionDirectory)
      expect(await probe()).toContain('half-written services would be started')
      rmSync(root, { recursive: true })
    })

    test('a service of that name from elsewhere is taken over, and ends first', async () => {
      await withLab(harness, async lab => {
        const elsewhere = join(lab.directory, 'elsewhere')
        mkdirSync(elsewhere)
        writeFileSync(join(elsewhere, 'run'), '#!/bin/sh\nexec sleep 1000000\n', { mode: 0o755 })
        const link = join(String(lab.supervisor.options.serviceDirectory), 'web')
        symlinkSync(elsewhere, link)
        if (scanner === 's6-svscan') spawnSync('s6-svscanctl', ['-a', dirname(link)])
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await eventually('the other one to run', async () => (await lab.observe('web')).pid !== undefined)
        const { pid = 0 } = await lab.observe('web')
        expect((await lab.plan()).facilities[0]?.blocked).toContain('adopt: true')
        lab.declare({ web: { process: { command: LONG_RUN }, adopt: true } })
        await lab.converge()
        expect([isAlive(pid), readlinkSync(link)]).toEqual([false, await serviceDirectoryOf(lab)])
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, enabled: true })
        expect((await lab.converge()).stepsDone).toBe(0)
      })
    })

    test('a link that is removed is restored, and a definition behind a link starts no stopped service', async () => {
      await withLab(harness, async lab => {
        const stopped = { process: { command: LONG_RUN }, state: 'stopped', enabled: false }
        lab.declare({ web: { process: { command: LONG_RUN } }, idle: stopped })
        await lab.converge()
        const directory = await serviceDirectoryOf(lab)
        const link = join(String(lab.supervisor.options.serviceDirectory), 'web')
        rmSync(link)
        // If runsvdir rescans just now, it ends the service behind this pass, and the next one starts it.
        await lab.apply()
        expect(readlinkSync(link)).toBe(directory)
        await eventually('nothing more to do', async () => {
          const { stepsDone, failed, notReady } = await lab.apply()
          return stepsDone + failed.length + notReady.length === 0
        })
        expect((await lab.observe('web')).state).toBe('running')
        rmSync(join(dirname(directory), 'idle'), { recursive: true })
        await lab.converge()
        expect(await lab.observe('idle')).toMatchObject({ state: 'stopped', enabled: false })
      })
    })

    test('leftovers of a supervisor killed together with its service end before another copy starts', async () => {
      await withLab(harness, async lab => {
        const mark = join(lab.directory, 'left')
        lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'sh -c "sleep 1000000; :" "$0" & wait', mark] } } })
        await lab.converge()
        await eventually('parent and child', () => countProcesses(mark) === 2)
        const { pid = 0 } = await lab.observe('web')
        const above: number[] = []
        for (let parent = parentOf(pid); commOf(parent) !== scanner && parent > 1; parent = parentOf(parent)) {
          above.push(parent)
        }
        for (const one of [...above.reverse(), pid]) process.kill(one, 'SIGKILL')
        await eventually('one copy, anew', async () => {
          const found = await lab.observe('web')
          return found.state === 'running' && found.pid !== pid && countProcesses(mark) === 2
        })
      })
    })

    test('a supervise that is a link to elsewhere, as on Debian, works like any other', async () => {
      await withLab(harness, async lab => {
        const definitions = String(lab.supervisor.options.definitionDirectory)
        const elsewhere = join(lab.directory, 'supervise.web')
        // The others create it, and s6-supervise fails if it exists.
        if (scanner === 'svscan') mkdirSync(elsewhere)
        mkdirSync(join(definitions, 'web'))
        symlinkSync(elsewhere, join(definitions, 'web/supervise'))
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        expect(existsSync(join(elsewhere, 'status'))).toBe(true)
        const { pid = 0, ...found } = await lab.observe('web')
        expect(found).toMatchObject({ state: 'running', supervised: true, enabled: true })
        await lab.control.act('stop', 'web')
        expect([isAlive(pid), (await lab.observe('web')).state]).toEqual([false, 'stopped'])
        await lab.control.act('start', 'web')
        const hints: (string | undefined)[] = []
        using _watch = await watchLab(lab, service => hints.push(service))
        createWriteHost().writePipe(join(elsewhere, 'control'), 'p')
        await eventually('its pause to be told of', () => hints.includes('web'))
        await eventually('it to be seen', async () => (await lab.observe('web')).message?.includes('paused') === true)
        createWriteHost().writePipe(join(elsewhere, 'control'), 'c')
        const again = (await lab.observe('web')).pid ?? 0
        process.kill(again, 'SIGKILL')
        await eventually('it to run once more', async () => {
          const { state, pid: other } = await lab.observe('web')
          return state === 'running' && other !== again
        })
        lab.declare({})
        await lab.converge()
        expect([readdirSync(definitions), readdirSync(elsewhere)]).toEqual([[], []])
      })
    })

    test('a status that cannot be read is unknown, and leads to no step', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        writeFileSync(join(await serviceDirectoryOf(lab), 'supervise/status'), 'odd')
        expect(await lab.observe('web')).toMatchObject({ state: 'unknown', enabled: 'unknown' })
        expect((await lab.plan()).facilities.flatMap(({ steps }) => steps)).toEqual([])
      })
    })

    test('a logger that cannot write is reported until it can', async () => {
      await withLab(harness, async lab => {
        const file = join(lab.directory, 'web.log')
        lab.declare({ web: { process: { command: LONG_RUN, output: { file } } } })
        writeFileSync(`${file}.d`, 'in the place of the directory')
        const outcome = await lab.apply()
        expect(outcome.notReady).toMatchObject([{ facility: 'web' }])
        expect((await lab.observe('web')).message).toContain(`cannot make the directory ${file}.d`)
        rmSync(`${file}.d`)
        await eventually('it to be well', async () => (await lab.observe('web')).state === 'running')
      })
    })

    testWhere(type === 'runit' && process.geteuid?.() === 0)(
      'a disk that is full or read-only is told of with the way out, and services go on',
      async () => {
        await withLab(harness, async lab => {
          const directory = String(lab.supervisor.options.definitionDirectory)
          // The final cleanup looks for it.
          using _after = { [Symbol.dispose]: () => void mkdirSync(directory) }
          using disk = mountSmallDisk(directory)
          lab.declare({ web: { process: { command: LONG_RUN } } })
          await lab.converge()
          const { pid } = await lab.observe('web')
          const change = { web: { process: { command: LONG_RUN, environment: { NEW: 'x'.repeat(8_192) } } } }
          disk.fill()
          lab.declare(change)
          await toldOf(lab, directory, /no space left on the device \(ENOSPC\); free some space on the file system at /)
          disk.free()
          expect((await lab.plan()).unwritable).toBeUndefined()
          disk.setReadOnly(true)
          await toldOf(lab, directory, /read-only \(EROFS\); make it writable \(mount -o remount,rw /)
          expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
          disk.setReadOnly(false)
          await lab.converge()
          const after = await lab.observe('web')
          expect(after.state).toBe('running')
          expect(after.pid).not.toBe(pid)
          lab.declare({})
          await lab.converge({ allowRemovals: 1 })
        })
      },
    )

    testWhere(type === 'runit' && process.geteuid?.() === 0)(
      'a logger of the user of the service on a read-only disk: the cause is told',
      async () => {
        await withLab(harness, async lab => {
          using disk = mountSmallDisk(join(lab.directory, 'logs'))
          chownSync(disk.directory, nobody, nobody)
          chmodSync(lab.directory, 0o755)
          const file = join(disk.directory, 'web.log')
          lab.declare({ web: { process: { command: LONG_RUN, user: 'nobody', output: { file } } } })
          disk.setReadOnly(true)
          await lab.apply()
          expect((await lab.observe('web')).message).toContain(
            `cannot make the directory ${file}.d: the file system is read-only (EROFS); make it writable (mount -o remount,rw ${disk.directory}`,
          )
          disk.setReadOnly(false)
          await eventually('it to be well', async () => (await lab.observe('web')).state === 'running')
          lab.declare({})
          await lab.converge({ allowRemovals: 1 })
        })
      },
    )

    test('a removal leaves files of others, and nothing else', async () => {
      await withLab(harness, async lab => {
        const output = { file: join(lab.directory, 'web.log') }
        lab.declare({
          web: { process: { command: LONG_RUN, output } },
          plain: { process: { command: LONG_RUN, output: { file: `${output.file}2` } } },
        })
        await lab.converge()
        const directory = await serviceDirectoryOf(lab)
        writeFileSync(join(directory, 'NOTES'), 'mine\n')
        lab.declare({})
        await lab.converge({ allowRemovals: 2 })
        expect(readdirSync(dirname(directory))).toEqual(['web'])
        expect(readdirSync(directory)).toEqual(['NOTES'])
      })
    })

    test('a scanner is found by the directory that it scans, however that was given', async () => {
      const root = mkdtempSync(join(tmpdir(), 'reeve-scanner-'))
      const options = { serviceDirectory: join(root, 'deep/service'), definitionDirectory: join(root, 'sv') }
      mkdirSync(options.serviceDirectory, { recursive: true })
      const instance = { name: 'lab', type, options, stateDirectory: root, owner: 'me' }
      using observer = openObserver(harness.provider, instance)
      const probe = async (): Promise<boolean> => (await observer.probe()).available
      for (const [cwd, path] of [
        [root, 'deep/service'],
        [options.serviceDirectory, '.'],
        ['/', options.serviceDirectory],
      ] as const) {
        const running = spawn(scanner, [path], { cwd, stdio: 'ignore' })
        await eventually(`${scanner} ${path} to be found`, probe)
        running.kill('SIGKILL')
        await eventually('it to be gone', async () => !(await probe()))
      }
      rmSync(root, { recursive: true })
    })

    test('a wait for a scanner reports which scanner, and its scan interval', async () => {
      const root = mkdtempSync(join(tmpdir(), 'reeve-scanner-'))
      const options = { serviceDirectory: join(root, 'service'), definitionDirectory: join(root, 'sv') }
      mkdirSync(options.serviceDirectory)
      mkdirSync(join(options.definitionDirectory, 'web'), { recursive: true })
      const instance = { name: 'lab', type, options, stateDirectory: root, owner: 'me' }
      const said: string[] = []
      const enough = new AbortController()
      const waits = (until: string): void => {
        said.push(until)
        enough.abort(new Error('heard'))
      }
      const action = { id: 'enable', verb: 'enable', service: 'web', signal: enough.signal, waits } as const
      using applier = openApplier(harness.provider, instance)
      await applier.apply([action], ({ ok }) => expect(ok).toBe(false))
      const often = scanner === 's6-svscan' ? '' : ', which it does every 5 s'
      expect(said).toEqual([`${scanner} to look at ${options.serviceDirectory}${often}`])
      rmSync(root, { recursive: true })
    })

    testWhere(hasFinish)('a finish script that hangs is told of, and nothing is started meanwhile', async () => {
      await withLab(harness, async lab => {
        const run = '#!/bin/sh\nexec sleep 1000000\n'
        const finish = '#!/bin/sh\nexec sleep 1000001\n'
        lab.declare({ web: { config: { [type]: { run, finish } } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        process.kill(pid, 'SIGKILL')
        await eventually('it to be told of', async () => {
          const { state, message } = await lab.observe('web')
          return state === 'starting' && message?.startsWith('its finish script runs (pid ') === true
        })
        expect((await lab.plan()).facilities[0]?.steps).toEqual([])
        const { message = '' } = await lab.observe('web')
        const script = Number(/pid (\d+)/.exec(message)?.[1])
        // As a person would end it: the process that the script waits for.
        for (const child of childrenOf(script)) process.kill(child, 'SIGKILL')
        await eventually('it to run again', async () => (await lab.observe('web')).state === 'running')
      })
    })

    test('a recreated directory is watched again', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: LONG_RUN } } })
        const hints: (string | undefined)[] = []
        using _watch = await watchLab(lab, service => hints.push(service))
        await lab.converge()
        await eventually('its coming to be told of', () => hints.includes('web'))
        lab.declare({})
        await lab.converge()
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        hints.length = 0
        process.kill(pid, 'SIGKILL')
        await eventually('its end to be told of', () => hints.includes('web'))
      })
    })
  })
}

test.skipIf(!has('s6-svscan'))('the value of an option is not taken for the scan directory', async () => {
  const root = mkdtempSync(join(tmpdir(), 'reeve-scanner-'))
  const options = { serviceDirectory: join(root, 'service'), definitionDirectory: join(root, 'sv') }
  mkdirSync(options.serviceDirectory)
  const instance = { name: 'lab', type: 's6', options, stateDirectory: root, owner: 'me' }
  // With an option of s6 2.12 that older versions refuse.
  const words = ['-c', 'sleep 1000000; :', '-L', '300', options.serviceDirectory]
  const running = spawn('/bin/sh', words, { argv0: 's6-svscan', detached: true, stdio: 'ignore' })
  try {
    using observer = openObserver(s6Harness.provider, instance)
    const probe = async (): Promise<boolean> => (await observer.probe()).available
    await eventually('it to be found', probe)
  } finally {
    process.kill(-(running.pid ?? 0), 'SIGKILL')
    rmSync(root, { recursive: true })
  }
})

async function watchLab(lab: Lab, hint: (service?: string) => void): Promise<Disposable | undefined> {
  const { set, record } = await makePlanRun(lab.session)
  return bindAll(lab.session, set, record).get('lab')?.observer.watch?.(hint)
}

/** Pids of processes with that word at the end of their command line. */
function countProcesses(mark: string): number {
  return pids().filter(pid => readQuietly(`/proc/${pid}/cmdline`).endsWith(`\0${mark}\0`) && isAlive(pid)).length
}

function parentOf(pid: number): number {
  return createReadHost().process(pid)?.parent ?? 0
}

function commOf(pid: number): string {
  return readQuietly(`/proc/${pid}/comm`).trim()
}

function childrenOf(pid: number): number[] {
  return pids().filter(child => createReadHost().process(child)?.parent === pid)
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}
