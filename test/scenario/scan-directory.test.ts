import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually, isAlive, withLab } from '../../src/conformance/lab.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { has } from '../requirements.ts'
import { scanFamilies, testWhere } from '../scan-lab.ts'

const host = createReadHost()

for (const [index, { scanner, harness }] of scanFamilies.entries()) {
  const { type, capabilities } = harness.provider
  const hasFinish = capabilities.process.includes('restart.policy')

  /** Of a `sleep` that is to be told from all others of the machine. */
  const argumentOf = (story: number): string => String(1_000_400 + 10 * index + story)

  describe.skipIf(!has(scanner)).concurrent(type, { timeout: 300_000 }, () => {
    test('a service whose supervisor is killed never has a second copy, and is supervised again', async () => {
      await withLab(harness, async lab => {
        const argument = argumentOf(1)
        lab.declare({ web: { process: { command: ['/bin/sleep', argument] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        process.kill(parentOf(pid), 'SIGKILL')
        await eventually('another process, under another supervisor', async () => {
          expect(countProcesses(argument)).toBeLessThanOrEqual(1)
          const found = await lab.observe('web')
          return found.supervised && found.state === 'running' && found.pid !== pid
        })
        expect(isAlive(pid)).toBe(false)
        expect((await lab.plan()).facilities).toMatchObject([{ change: 'none', steps: [] }])
      })
    })

    test('a disabled one goes on without a supervisor, which is said, till the next pass', async () => {
      await withLab(harness, async lab => {
        const argument = argumentOf(2)
        lab.declare({ web: { process: { command: ['/bin/sleep', argument] }, enabled: false } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        const before = parentOf(pid)
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
        process.kill(parentOf(pid), 'SIGKILL')
        await lab.control.act('stop', 'web')
        expect([isAlive(pid), (await lab.observe('web')).state]).toEqual([false, 'stopped'])
      })
    })

    testWhere(capabilities.process.includes('output.file'))(
      'output goes to the declared file, also when that is declared later',
      async () => {
        await withLab(harness, async lab => {
          const file = join(lab.directory, 'web.log')
          const command = ['/bin/sh', '-c', 'echo out; echo err >&2; exec sleep 1000000']
          lab.declare({ web: { process: { command } } })
          await lab.converge()
          lab.declare({ web: { process: { command, output: { file } } } })
          await lab.converge()
          await eventually('both lines', () => existsSync(file) && /out\nerr\n/.test(readFileSync(file, 'utf8')))
          expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, enabled: true })
          expect((await lab.plan()).summary.unchanged).toBe(1)
        })
      },
    )

    test('a paused service says so, and a stopped one since when', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/sleep', argumentOf(4)] } } })
        await lab.converge()
        const { pid = 0 } = await lab.observe('web')
        const control = join(host.realPath(`/proc/${parentOf(pid)}/cwd`) ?? '', 'supervise/control')
        createWriteHost().writePipe(control, 'p')
        await eventually('it to be said', async () => (await lab.observe('web')).message?.includes('paused') === true)
        createWriteHost().writePipe(control, 'c')
        const before = Date.now()
        await lab.control.act('stop', 'web')
        // They reckon with different clocks.
        const { since = 0 } = await lab.observe('web')
        expect([since > before - 1_000, since <= Date.now()]).toEqual([true, true])
      })
    })

    testWhere(hasFinish)('a job that ends well is completed, and one that fails for good says how', async () => {
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

    testWhere(!hasFinish)('what it can not honour is refused by name', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: ['/bin/true'], restart: { policy: 'never' } } } })
        expect((await lab.plan()).facilities[0]?.blocked).toContain('restart.policy')
      })
    })
  })
}

function parentOf(pid: number): number {
  const parent = host.process(pid)?.parent ?? 0
  if (parent <= 1) throw new Error(`process ${pid} has no supervisor`)
  return parent
}

/** Of the `sleep` with that argument. */
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
