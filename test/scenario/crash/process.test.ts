import { expect, test } from 'vitest'
import { openCrashRun } from '../../crash/crash-run.ts'
import { crashScenarios } from '../../crash/scenarios.ts'
import { crashBesideStranger } from '../../crash/stranger-crash.ts'
import { processHarness } from '../../labs/process-lab.ts'
import { drawSample } from '../../runner/sample.ts'

const run = openCrashRun('crash-process', 'process')

test.concurrent.for(crashScenarios)(
  'E4: apply killed by SIGKILL at any effect completes when run again: $name',
  { timeout: 600_000 },
  async scenario => {
    // Failing cases take longest.
    const { moments, failures } = await run(processHarness, scenario, { stride: scenario.fails ? 12 : 6, hosts: 3 })
    expect(failures).toEqual([])
    expect(moments).toBeGreaterThan(20)
  },
)

test.concurrent.for([
  ['was-there', 20],
  ['comes-after', 20],
  ['comes-back', 10],
] as const)(
  "E19: apply killed by SIGKILL at any effect neither overwrites nor removes a stranger's file that %s",
  { timeout: 600_000 },
  async ([stranger, least]) => {
    const { moments, failures } = await crashBesideStranger(processHarness, stranger, drawSample(4))
    expect(failures).toEqual([])
    expect(moments).toBeGreaterThan(least)
  },
)
