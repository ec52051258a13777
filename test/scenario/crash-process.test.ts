import { expect, test } from 'vitest'
import { crashEverywhere } from '../crash/crash-everywhere.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { processHarness } from '../process-lab.ts'

/** `REEVE_CRASH=all`: also the moments that leave behind what others do. Twice as many. */
const moments = process.env.REEVE_CRASH === 'all' ? 'all' : 'distinct'

test.concurrent.for(crashScenarios)(
  'E4: apply gets SIGKILL at every effect: $name',
  { timeout: 300_000 },
  async scenario => {
    const { points, failures } = await crashEverywhere(processHarness, scenario, { moments, hosts: 2 })
    console.log(`${points} crashes: ${scenario.name}`)
    expect(failures).toEqual([])
    expect(points).toBeGreaterThan(20)
  },
)
