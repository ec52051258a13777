import { contractCases } from './contract-cases.ts'
import type { ConformanceCase, ConformanceHarness } from './harness.ts'
import { withLab } from './lab.ts'
import { providerCases } from './provider-cases.ts'
import { stateCases } from './state-cases.ts'

export type { ConformanceCase, ConformanceHarness, ConformanceSupervisor } from './harness.ts'
export { startServices } from './service-start.ts'

const TIMEOUT = 300_000

/**
 * Suite that every provider passes against its real supervisor, ours and outside ones. It is independent of the test runner,
 * and cases may run side by side: `for (const { name, run, timeout } of conformanceCases(harness)) test(name, run,
 * timeout)`.
 */
export function conformanceCases(harness: ConformanceHarness): ConformanceCase[] {
  const cases: ConformanceCase[] = []
  for (const [name, body] of Object.entries({ ...contractCases, ...stateCases, ...providerCases })) {
    cases.push({ name, timeout: TIMEOUT, run: () => withLab(harness, lab => body(lab, harness)) })
  }
  return cases
}
