import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Lab, withLab } from '../../../src/conformance/lab.ts'
import { scanFamilies, serviceDirectoryOf } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

const longRun = { process: { command: ['/bin/sleep', '1000000'] } }

for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider

  describe.skipIf(!has(scanner)).concurrent(`E21: one service of ${type} under two names`, { timeout: 300_000 }, () => {
    test('by a link in the scan directory is refused by name, and keeps running', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: longRun })
        await lab.converge()
        const { pid } = await lab.observe('web')
        symlinkSync(await serviceDirectoryOf(lab), join(String(lab.supervisor.options.serviceDirectory), 'other'))
        lab.declare({ web: longRun, other: { state: 'stopped' } })
        await expectRefused(lab, ['other', 'web'], /other leads to .*\/web/)
        expect((await lab.observe('web')).pid).toBe(pid)
      })
    })

    test('by a link to its directory is refused', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: longRun })
        await lab.converge()
        const directory = await serviceDirectoryOf(lab)
        symlinkSync(directory, join(dirname(directory), 'other'))
        lab.declare({ web: longRun, other: { ...longRun, state: 'stopped' } })
        await expectRefused(lab, ['other', 'web'], /are one file, as both lead to .*\/web\/run/)
      })
    })

    test('by two supervisors with common definitions is refused', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: longRun })
        await lab.converge()
        const { pid } = await lab.observe('web')
        const directory = join(lab.directory, 'second-supervisor')
        mkdirSync(directory)
        const second = await harness.setUp(directory)
        try {
          // Two paths to one directory.
          symlinkSync(String(lab.supervisor.options.definitionDirectory), join(lab.directory, 'way'))
          const options = { ...second.options, definitionDirectory: join(lab.directory, 'way') }
          lab.declare({ web: longRun, 'web-too': { ...longRun, serviceName: 'web', supervisor: 'second' } })
          const spec = { type, [type]: options }
          const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'second' }, spec }
          writeFileSync(join(lab.directory, 'manifests/second.json'), JSON.stringify(manifest))
          await expectRefused(lab, ['web', 'web-too'], /are one file, as both lead to .*\/web\/run/)
          expect((await lab.observe('web')).pid).toBe(pid)
        } finally {
          await second.tearDown()
        }
      })
    })
  })
}

async function expectRefused(lab: Lab, names: readonly [string, string], how: RegExp): Promise<void> {
  const { plan, stepsDone } = await lab.apply()
  const blocked = new Map(plan.facilities.map(one => [one.name, one.blocked]))
  expect(blocked.get(names[0])).toMatch(new RegExp(`facility ${names[1]}`))
  expect(blocked.get(names[1])).toMatch(new RegExp(`facility ${names[0]}`))
  for (const name of names) expect(blocked.get(name)).toMatch(how)
  expect(stepsDone).toBe(0)
}
