import { expect, test } from 'vitest'
import { openCrashRun } from '../crash/crash-run.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { processHarness } from '../process-lab.ts'

const run = openCrashRun('crash-process', 'process')

test.concurrent.for(crashScenarios)(
  'E4: apply gets SIGKILL at its effects: $name',
  { timeout: 600_000 },
  async scenario => {
    // What fails takes longest.
    const { moments, failures } = await run(processHarness, scenario, { stride: scenario.fails ? 6 : 3, hosts: 3 })
    expect(failures).toEqual([])
    expect(moments).toBeGreaterThan(20)
  },
)
