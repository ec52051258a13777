import { expect, test } from 'vitest'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { openReport } from '../report.ts'
import { has } from '../requirements.ts'
import { type CrashScenario, crashEverywhere } from './crash-everywhere.ts'

/** `REEVE_CRASH=all`: each of the moments, those too that leave behind what others do. Every one waits for the scanner. */
const isThorough = process.env.REEVE_CRASH === 'all'

/**
 * Every so many of the moments is tried, with each family from another one on: all three act by the same code, so that
 * together they try every third.
 */
const stride = isThorough ? 1 : 9

interface ScanCrash {
  readonly harness: ConformanceHarness
  readonly scanner: string
  readonly scenarios: readonly CrashScenario[]
  /** From 1 to 9. */
  readonly first: number
}

/** The tests that kill `apply` over a provider of scan directories. */
export function testScanCrashes({ harness, scanner, scenarios, first }: ScanCrash): void {
  const { type } = harness.provider
  const report = openReport(`crash-${type}`, `SIGKILL of apply at its effects, and again: provider ${type}`, [
    'SCENARIO',
    'POINTS',
    'FAILED',
    'MOMENTS',
    'FIRST',
    'STRIDE',
  ])

  test.skipIf(!has(scanner)).concurrent.for(scenarios)(
    'E4: apply gets SIGKILL at its effects: $name',
    { timeout: 3_600_000 },
    async scenario => {
      const moments = isThorough ? 'all' : 'distinct'
      // A host for nearly each moment, where they are few: they wait for their scanners side by side.
      const hosts = isThorough ? 3 : 8
      const options = { moments, stride, first: isThorough ? 1 : first, hosts } as const
      const { points, failures } = await crashEverywhere(harness, scenario, options)
      report.add(scenario.name, points, failures.length, moments, options.first, stride)
      expect(failures).toEqual([])
      expect(points).toBeGreaterThan(0)
    },
  )
}
