import { describe, expect, test } from 'vitest'
import type { CrashScenario } from '../crash/crash-everywhere.ts'
import { openCrashRun } from '../crash/crash-run.ts'
import { isThorough } from '../runner/sample.ts'
import { systemHarness } from './harness.ts'

/** All of them take ten minutes. */
const stride = 12

/**
 * Tests that kill `apply` over systemd. `lab` is the machine's own manager, of which there is one, and `other` a user
 * manager.
 */
export function testSystemdCrashes(what: string, scenarios: readonly CrashScenario[]): void {
  const run = openCrashRun(`crash-systemd-${what}`, `systemd, ${what}`)

  describe.skipIf(process.env.REEVE_MACHINE === undefined)(
    'E4: apply killed by SIGKILL at any effect completes when run again:',
    () => {
      test.for(scenarios)('$name', { timeout: isThorough ? 1_800_000 : 300_000 }, async scenario => {
        const { moments, failures } = await run(systemHarness, scenario, { stride, hosts: 1 })
        expect(failures).toEqual([])
        expect(moments).toBeGreaterThan(20)
      })
    },
  )
}
