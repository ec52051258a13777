import { describe, expect, test } from 'vitest'
import { type CrashScenario, crashEverywhere } from '../crash/crash-everywhere.ts'
import { openReport } from '../report.ts'
import { systemHarness } from './harness.ts'

/** `REEVE_CRASH=all`: every moment, also those that leave behind what others do. Half an hour. */
const isThorough = process.env.REEVE_CRASH === 'all'
const options = { moments: isThorough ? 'all' : 'distinct', stride: isThorough ? 1 : 5, hosts: 1 } as const

/** The tests that kill `apply` over systemd. `lab` is the machine's own manager, of which there is one, and `other` a user's. */
export function testSystemdCrashes(what: string, scenarios: readonly CrashScenario[]): void {
  const title = `SIGKILL of apply at its effects, and again: provider systemd, ${what}`
  const report = openReport(`crash-systemd-${what}`, title, ['SCENARIO', 'POINTS', 'FAILED', 'MOMENTS', 'STRIDE'])

  describe.skipIf(process.env.REEVE_MACHINE === undefined)('E4: apply gets SIGKILL at its effects', () => {
    test.for(scenarios)('$name', { timeout: isThorough ? 1_800_000 : 300_000 }, async scenario => {
      const { points, failures } = await crashEverywhere(systemHarness, scenario, options)
      report.add(scenario.name, points, failures.length, options.moments, options.stride)
      expect(failures).toEqual([])
      expect(points).toBeGreaterThan(5)
    })
  })
}
