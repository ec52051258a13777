import { expect, test } from 'vitest'
import { crashEverywhere } from '../crash/crash-everywhere.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { openReport } from '../report.ts'
import { has } from '../requirements.ts'
import { daemontoolsHarness } from '../scan-lab.ts'

/** `REEVE_CRASH=all`: also the moments that leave behind what others do, each of them: every one waits for the scanner. */
const isThorough = process.env.REEVE_CRASH === 'all'

const report = openReport('crash-daemontools', 'SIGKILL of apply at its effects, and again: provider daemontools', [
  'SCENARIO',
  'POINTS',
  'FAILED',
  'MOMENTS',
  'STRIDE',
])

/** What fails there does so for good, which this supervisor can't have: it refuses `restart.policy` by name. */
const scenarios = crashScenarios.filter(({ fails }) => !fails)

test.skipIf(!has('svscan')).concurrent.for(scenarios)(
  'E4: apply gets SIGKILL at its effects: $name',
  { timeout: 1_800_000 },
  async scenario => {
    const stride = isThorough ? 1 : 3
    const moments = isThorough ? 'all' : 'distinct'
    const { points, failures } = await crashEverywhere(daemontoolsHarness, scenario, { moments, stride, hosts: 3 })
    report.add(scenario.name, points, failures.length, moments, stride)
    expect(failures).toEqual([])
    expect(points).toBeGreaterThan(5)
  },
)
