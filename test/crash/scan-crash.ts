import { expect, test } from 'vitest'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { openReport } from '../report.ts'
import { has } from '../requirements.ts'
import { type CrashScenario, crashEverywhere } from './crash-everywhere.ts'
import { drawSample, isThorough } from './sample.ts'

/** Every one waits for the scanner. All three families act by the same code. */
const stride = 9

interface ScanCrash {
  readonly harness: ConformanceHarness
  readonly scanner: string
  readonly scenarios: readonly CrashScenario[]
}

/** The tests that kill `apply` over a provider of scan directories. */
export function testScanCrashes({ harness, scanner, scenarios }: ScanCrash): void {
  const { type } = harness.provider
  const report = openReport(`crash-${type}`, `SIGKILL of apply at its effects, and again: provider ${type}`, [
    'SCENARIO',
    'POINTS',
    'FAILED',
    'OF',
    'MOMENTS',
    'FIRST',
    'STRIDE',
  ])

  test.skipIf(!has(scanner)).concurrent.for(scenarios)(
    'E4: apply gets SIGKILL at its effects: $name',
    { timeout: 3_600_000 },
    async scenario => {
      const which = isThorough ? 'all' : 'distinct'
      const sample = drawSample(stride)
      // A host for nearly each moment, where they are few: they wait for their scanners side by side.
      const options = { moments: which, hosts: isThorough ? 3 : 8, ...sample } as const
      const { moments, points, failures } = await crashEverywhere(harness, scenario, options)
      report.add(scenario.name, points, failures.length, moments, which, sample.first, sample.stride)
      expect(failures).toEqual([])
      expect(moments).toBeGreaterThan(stride)
    },
  )
}
