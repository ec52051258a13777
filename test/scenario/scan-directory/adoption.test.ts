import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive, type Lab, withLab } from '../../../src/conformance/lab.ts'
import { planOf, stepsOf } from '../../labs/engine-lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'

const goesOn = "adopt: writes Reeve's marker, the service goes on"
const run = '#!/bin/sh\nexec sleep 1000000\n'
const logRun = '#!/bin/sh\nexec cat >/dev/null\n'

describe.concurrent.each(scanFamilies)('E20: adoption under $scanner', { timeout: 120_000 }, ({ scanner, harness }) => {
  const { type } = harness.provider

  function definitionOf(lab: Lab, name = 'web'): string {
    return join(String(lab.supervisor.options.definitionDirectory), name)
  }

  /** Creates a service as somebody else would, and starts it. */
  async function place(lab: Lab, scripts: Readonly<Record<string, string>>, name = 'web'): Promise<number> {
    const directory = definitionOf(lab, name)
    const link = join(String(lab.supervisor.options.serviceDirectory), name)
    for (const [path, text] of Object.entries(scripts)) {
      mkdirSync(join(directory, path, '..'), { recursive: true })
      writeFileSync(join(directory, path), text, { mode: 0o755 })
    }
    symlinkSync(directory, link)
    if (scanner === 's6-svscan') spawnSync('s6-svscanctl', ['-a', join(link, '..')])
    lab.declare({ [name]: {} })
    await eventually('it to run', async () => {
      const { state, pid = 0 } = await lab.observe(name)
      return state === 'running' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\0')
    })
    return (await lab.observe(name)).pid ?? 0
  }

  const declare = (lab: Lab, scripts: object, more: object = {}): void =>
    lab.declare({ web: { config: { [type]: scripts }, adopt: true, ...more } })

  async function expectAdopted(lab: Lab, pid: number): Promise<void> {
    const plan = await lab.plan()
    expect(stepsOf(plan)).toEqual(['web/install'])
    expect(planOf(plan, 'web')?.steps[0]?.detail).toBe(goesOn)
    await lab.converge()
    expect(await lab.observe('web')).toMatchObject({ pid, state: 'running', enabled: true, supervised: true })
    expect(stepsOf(await lab.plan())).toEqual([])
  }

  test('of a matching service touches no process, nor do files that it has read', async () => {
    await withLab(harness, async lab => {
      const path = join(lab.directory, 'web.conf')
      writeFileSync(path, 'one\n')
      const pid = await place(lab, { run, 'log/run': logRun })
      const since = (await lab.observe('web')).since ?? 0
      const files = (content: string): object => ({ files: [{ path, content }] })
      declare(lab, { run, logRun }, files('one\n'))
      await expectAdopted(lab, pid)
      expect((await lab.observe('web')).since).toBe(since)
      writeFileSync(path, 'one\n')
      expect(stepsOf(await lab.plan())).toEqual([])
      // Its next runs are started by Reeve, so nothing more has to be recorded.
      process.kill(pid, 'SIGKILL')
      await eventually('another run', async () => {
        const found = await lab.observe('web')
        return found.state === 'running' && found.pid !== pid
      })
      expect(stepsOf(await lab.plan())).toEqual([])
      declare(lab, { run, logRun }, files('two\n'))
      expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/restart'])
      await lab.converge()
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  })

  test('can be undone: an adopted service is stopped and removed as any other', async () => {
    await withLab(harness, async lab => {
      const pid = await place(lab, { run })
      declare(lab, { run }, { state: 'running' })
      await expectAdopted(lab, pid)
      declare(lab, { run: run.replace('1000000', '1000001') })
      expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
      await lab.converge()
      expect(isAlive(pid)).toBe(false)
      expect(stepsOf(await lab.plan())).toEqual([])
      lab.declare({})
      await lab.converge()
      expect(await lab.observe('web')).toMatchObject({ state: 'absent' })
    })
  })

  test('of Reeve’s own definition whose marker or state is lost touches no process', async () => {
    await withLab(harness, async lab => {
      const spec = { process: { command: ['sleep', '1000000'] }, adopt: true }
      lab.declare({ web: spec })
      await lab.converge()
      const { pid = 0 } = await lab.observe('web')
      rmSync(join(definitionOf(lab), 'reeve.json'))
      rmSync(join(lab.directory, 'state'), { recursive: true })
      await expectAdopted(lab, pid)
      rmSync(join(lab.directory, 'state'), { recursive: true })
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  })

  test('restarts a service that does not match, with the reason', async () => {
    await withLab(harness, async lab => {
      const other = run.replace('1000000', '1000001')
      const directory = definitionOf(lab)
      const expectRestart = async (why: string | RegExp): Promise<void> => {
        const plan = await lab.plan()
        expect(stepsOf(plan)).toEqual(['web/install', 'web/restart'])
        expect(planOf(plan, 'web')?.steps[1]?.detail).toMatch(why)
      }
      await place(lab, { run })
      declare(lab, { run: other })
      await expectRestart(`${directory}/run is otherwise than the manifest has it`)
      lab.declare({ web: { process: { command: ['sleep', '1000000'] }, adopt: true } })
      await expectRestart('Reeve writes a run script for spec.process')
      declare(lab, { run })
      // Copying files sets their dates back.
      writeFileSync(join(directory, 'run'), run)
      utimesSync(join(directory, 'run'), new Date('2020-01-01'), new Date('2020-01-01'))
      await expectRestart(`${directory}/run changed on disk after the service was started`)
      await lab.converge()
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  })

  test('of a definition elsewhere restarts the service, with the reason', async () => {
    await withLab(harness, async lab => {
      const elsewhere = join(lab.directory, 'elsewhere')
      mkdirSync(elsewhere)
      writeFileSync(join(elsewhere, 'run'), run, { mode: 0o755 })
      const link = join(String(lab.supervisor.options.serviceDirectory), 'web')
      symlinkSync(elsewhere, link)
      if (scanner === 's6-svscan') spawnSync('s6-svscanctl', ['-a', join(link, '..')])
      declare(lab, { run })
      await eventually('it to run', async () => (await lab.observe('web')).pid !== undefined)
      const steps = planOf(await lab.plan(), 'web')?.steps
      expect(steps?.map(({ verb }) => verb)).toEqual(['install', 'restart'])
      expect(steps?.[1]?.detail).toContain(`its definition is in ${elsewhere}, and comes to ${definitionOf(lab)}`)
      await lab.converge()
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  })
})
