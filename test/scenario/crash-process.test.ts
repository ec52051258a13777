import { expect, test } from 'vitest'
import { crashEverywhere } from '../crash/crash-everywhere.ts'
import { drawSample, isThorough } from '../crash/sample.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { processHarness } from '../process-lab.ts'
import { openReport } from '../report.ts'

const report = openReport('crash-process', 'SIGKILL of apply at its effects, and again: provider process', [
  'SCENARIO',
  'POINTS',
  'FAILED',
  'OF',
  'MOMENTS',
  'FIRST',
  'STRIDE',
])

test.concurrent.for(crashScenarios)(
  'E4: apply gets SIGKILL at its effects: $name',
  { timeout: 600_000 },
  async scenario => {
    const which = isThorough ? 'all' : 'distinct'
    // What fails takes longest.
    const sample = drawSample(scenario.fails ? 6 : 3)
    const options = { moments: which, hosts: 3, ...sample } as const
    const { moments, points, failures } = await crashEverywhere(processHarness, scenario, options)
    report.add(scenario.name, points, failures.length, moments, which, sample.first, sample.stride)
    expect(failures).toEqual([])
    expect(moments).toBeGreaterThan(20)
  },
)
