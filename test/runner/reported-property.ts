import fc from 'fast-check'
import { expect } from 'vitest'
import { openReport, type Report } from './report.ts'

/** Properties of one test file, for its table. */
export type PropertyReport = Report<readonly [property: string, runs: number, seed: string]>

export function openPropertyReport(name: string, title: string): PropertyReport {
  return openReport(name, title, ['PROPERTY', 'RUNS', 'SEED'])
}

/** `fc.assert` for the property of the running test, with a row in the table. */
export function assertReported<Values>(
  report: PropertyReport,
  property: fc.IProperty<Values>,
  parameters: fc.Parameters<Values>,
): void {
  fc.assert(property, { ...parameters, reporter: details => tell(report, details) })
}

export async function assertReportedAsync<Values>(
  report: PropertyReport,
  property: fc.IAsyncProperty<Values>,
  parameters: fc.Parameters<Values>,
): Promise<void> {
  await fc.assert(property, { ...parameters, reporter: details => tell(report, details) })
}

function tell<Values>(report: PropertyReport, details: fc.RunDetails<Values>): void {
  const name = (expect.getState().currentTestName ?? '').replaceAll(' > ', ': ')
  report.add(name, details.numRuns, String(details.seed))
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance })
}
