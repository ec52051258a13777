import { expect, test } from 'vitest'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { has } from '../runner/requirements.ts'
import { isThorough } from '../runner/sample.ts'
import type { CrashScenario } from './crash-everywhere.ts'
import { openCrashRun } from './crash-run.ts'

/** Every crash waits for the scanner. All three families run the same code. */
const stride = 18

/** One for nearly each moment, if there are few: they wait for their scanners side by side. */
const hosts = isThorough ? 3 : 8

interface ScanCrash {
  readonly harness: ConformanceHarness
  readonly scanner: string
  readonly scenarios: readonly CrashScenario[]
}

/** Tests that kill `apply` over a provider of scan directories. */
export function testScanCrashes({ harness, scanner, scenarios }: ScanCrash): void {
  const { type } = harness.provider
  const run = openCrashRun(`crash-${type}`, type)

  test.skipIf(!has(scanner)).concurrent.for(scenarios)(
    'E4: apply killed by SIGKILL at any effect completes when run again: $name',
    { timeout: 3_600_000 },
    async scenario => {
      const { moments, failures } = await run(harness, scenario, { stride, hosts })
      expect(failures).toEqual([])
      expect(moments).toBeGreaterThan(stride)
    },
  )
}
