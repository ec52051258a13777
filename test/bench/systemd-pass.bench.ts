import { expect, test } from 'vitest'
import { longRun } from '../labs/engine-lab.ts'
import { createSystemdLab } from '../systemd-lab/engine.ts'
import { measurePasses, openCostReport } from './pass-cost.ts'

test('a pass without any change', async () => {
  expect(process.env.REEVE_MACHINE, 'this bench needs root and the right to make namespaces').toBeDefined()
  const report = openCostReport('systemd-pass')
  await using lab = await createSystemdLab()
  for (let index = 0; index < 1_000; index += 1) {
    lab.declareUnit(`s${String(index).padStart(5, '0')}`, { process: longRun() })
  }
  await lab.apply()
  await measurePasses(lab, report, 'systemd, running', 1_000)
  report.print()
})
