import { expect, test } from 'vitest'
import { openCrashRun } from '../../crash/crash-run.ts'
import { crashScenarios } from '../../crash/scenarios.ts'
import { createTemplateHarness } from '../../labs/outside-lab.ts'

const run = openCrashRun('crash-template', 'as `reeve create-provider` writes it')
const harness = await createTemplateHarness()

test.concurrent.for(crashScenarios)(
  'E4: apply killed by SIGKILL at any effect completes when run again: $name',
  { timeout: 600_000 },
  async scenario => {
    const { moments, failures } = await run(harness, scenario, { stride: scenario.fails ? 12 : 8, hosts: 2 })
    expect(failures).toEqual([])
    expect(moments).toBeGreaterThan(10)
  },
)
