import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { openReport } from '../runner/report.ts'
import { drawSample, isThorough } from '../runner/sample.ts'
import { type CrashReport, type CrashScenario, crashEverywhere } from './crash-everywhere.ts'

/** Kills `apply` at a sample of the moments of a scenario, and reports it; see `crashEverywhere`. */
export type CrashRun = (
  harness: ConformanceHarness,
  scenario: CrashScenario,
  options: { readonly stride: number; readonly hosts: number },
) => Promise<CrashReport>

/** `what`: the provider, and the scenarios, for the title. */
export function openCrashRun(name: string, what: string): CrashRun {
  const title = `SIGKILL of apply at its effects, and again: provider ${what}`
  const columns = ['SCENARIO', 'POINTS', 'FAILED', 'OF', 'MOMENTS', 'FIRST', 'STRIDE'] as const
  const report = openReport(name, title, columns)
  const which = isThorough ? 'all' : 'distinct'
  return async (harness, scenario, { stride, hosts }) => {
    const sample = drawSample(stride)
    const found = await crashEverywhere(harness, scenario, { moments: which, hosts, ...sample })
    const { moments, points, failures } = found
    report.add(scenario.name, points, failures.length, moments, which, sample.first, sample.stride)
    return found
  }
}
