import { mkdirSync } from 'node:fs'
import { test } from 'vitest'
import { processProvider } from '../../providers/process/index.ts'
import { createEngineLab, type EngineLab, longRun, type Spec } from '../labs/engine-lab.ts'
import { runitHarness, s6Harness } from '../labs/scan-lab.ts'
import { measurePasses, openCostReport } from './pass-cost.ts'

const stopped = { state: 'stopped', enabled: false, process: longRun() }

function declareMany(lab: EngineLab, count: number, spec: Spec): void {
  for (let index = 0; index < count; index += 1) lab.declare(`s${String(index).padStart(5, '0')}`, spec)
}

test('a pass without any change', async () => {
  const report = openCostReport('pass')
  for (const [count, what, spec] of [
    [1_000, 'running', { process: longRun() }],
    [1_000, 'stopped', stopped],
    [10_000, 'stopped', stopped],
  ] as const) {
    await using lab = createEngineLab({ providers: [processProvider] })
    declareMany(lab, count, spec)
    await lab.apply()
    await measurePasses(lab, report, `built-in, ${what}`, count)
  }
  for (const harness of [runitHarness, s6Harness]) {
    const { type } = harness.provider
    await using lab = createEngineLab({ providers: [harness.provider] })
    const root = lab.path('scanned')
    mkdirSync(root)
    const supervisor = await harness.setUp(root)
    try {
      const spec = { type, [type]: supervisor.options }
      lab.write(
        'supervisor-lab.yaml',
        JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'lab' }, spec }),
      )
      declareMany(lab, 1_000, { process: longRun() })
      await lab.apply()
      await measurePasses(lab, report, `${type}, running`, 1_000)
    } finally {
      await supervisor.tearDown()
    }
  }
  report.print()
})
