import { expect, test } from 'vitest'
import { crashEverywhere } from '../crash/crash-everywhere.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { processHarness } from '../process-lab.ts'
import { openReport } from '../report.ts'

/** `REEVE_CRASH=all`: also the moments that leave behind what others do, and all of what takes long. Five minutes. */
const isThorough = process.env.REEVE_CRASH === 'all'

const report = openReport('crash-process', 'SIGKILL of apply at its effects, and again: provider process', [
  'SCENARIO',
  'POINTS',
  'FAILED',
  'MOMENTS',
  'STRIDE',
])

test.concurrent.for(crashScenarios)(
  'E4: apply gets SIGKILL at its effects: $name',
  { timeout: 600_000 },
  async scenario => {
    const stride = isThorough ? 1 : scenario.fails ? 4 : 2
    const moments = isThorough ? 'all' : 'distinct'
    const { points, failures } = await crashEverywhere(processHarness, scenario, { moments, stride, hosts: 3 })
    report.add(scenario.name, points, failures.length, moments, stride)
    expect(failures).toEqual([])
    expect(points).toBeGreaterThan(10)
  },
)
