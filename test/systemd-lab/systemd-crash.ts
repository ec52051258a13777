import { describe, expect, test } from 'vitest'
import { type CrashScenario, crashEverywhere } from '../crash/crash-everywhere.ts'
import { drawSample, isThorough } from '../crash/sample.ts'
import { openReport } from '../report.ts'
import { systemHarness } from './harness.ts'

/** All of them take ten minutes. */
const stride = 7

/** The tests that kill `apply` over systemd. `lab` is the machine's own manager, of which there is one, and `other` a user's. */
export function testSystemdCrashes(what: string, scenarios: readonly CrashScenario[]): void {
  const title = `SIGKILL of apply at its effects, and again: provider systemd, ${what}`
  const report = openReport(`crash-systemd-${what}`, title, [
    'SCENARIO',
    'POINTS',
    'FAILED',
    'OF',
    'MOMENTS',
    'FIRST',
    'STRIDE',
  ])

  describe.skipIf(process.env.REEVE_MACHINE === undefined)('E4: apply gets SIGKILL at its effects', () => {
    test.for(scenarios)('$name', { timeout: isThorough ? 1_800_000 : 300_000 }, async scenario => {
      const which = isThorough ? 'all' : 'distinct'
      const sample = drawSample(stride)
      const options = { moments: which, hosts: 1, ...sample } as const
      const { moments, points, failures } = await crashEverywhere(systemHarness, scenario, options)
      report.add(scenario.name, points, failures.length, moments, which, sample.first, sample.stride)
      expect(failures).toEqual([])
      expect(moments).toBeGreaterThan(25)
    })
  })
}
