import { expect, test } from 'vitest'
import { crashEverywhere } from '../crash/crash-everywhere.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { openReport } from '../report.ts'
import { has } from '../requirements.ts'
import { s6Harness } from '../scan-lab.ts'

/** `REEVE_CRASH=all`: also the moments that leave behind what others do, each of them. */
const isThorough = process.env.REEVE_CRASH === 'all'

const report = openReport('crash-s6', 'SIGKILL of apply at its effects, and again: provider s6', [
  'SCENARIO',
  'POINTS',
  'FAILED',
  'MOMENTS',
  'STRIDE',
])

test.skipIf(!has('s6-svscan')).concurrent.for(crashScenarios)(
  'E4: apply gets SIGKILL at its effects: $name',
  { timeout: 1_800_000 },
  async scenario => {
    const stride = isThorough ? 1 : 3
    const moments = isThorough ? 'all' : 'distinct'
    const { points, failures } = await crashEverywhere(s6Harness, scenario, { moments, stride, hosts: 3 })
    report.add(scenario.name, points, failures.length, moments, stride)
    expect(failures).toEqual([])
    expect(points).toBeGreaterThan(5)
  },
)
