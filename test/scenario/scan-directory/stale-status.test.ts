import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, longRun } from '../../labs/engine-lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'

for (const { scanner, harness } of scanFamilies) {
  test(`under ${scanner}, the process table is used if the status could not be written`, async () => {
    await using lab = createEngineLab({ providers: [harness.provider] })
    const root = lab.path('scan')
    mkdirSync(root)
    const supervisor = await harness.setUp(root)
    await using _scanner = { [Symbol.asyncDispose]: () => supervisor.tearDown() }
    const { type } = harness.provider
    const spec = { type, [type]: supervisor.options }
    const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'scan' }, spec }
    lab.write('scan.yaml', JSON.stringify(manifest))
    lab.declare('web', { process: longRun(), state: 'running', supervisor: 'scan' })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const first = (await lab.observe('web')).pid ?? 0
    expect(isAlive(first)).toBe(true)

    const status = lab.path('scan/sv/web/supervise/status')
    const stale = readFileSync(status)
    process.kill(first, 'SIGKILL')
    let second = 0
    await eventually('it to run anew', async () => {
      const { state, pid = 0 } = await lab.observe('web')
      second = pid
      return state === 'running' && pid !== first
    })
    // As if there had been no space for its report of the second.
    writeFileSync(status, stale)
    expect(await lab.observe('web')).toMatchObject({ state: 'running', pid: second, supervised: true })
    expect(isAlive(second)).toBe(true)
  })
}
