import { contractCases } from './contract-cases.ts'
import type { ConformanceCase, ConformanceHarness } from './harness.ts'
import { withLab } from './lab.ts'
import { providerCases } from './provider-cases.ts'
import { stateCases } from './state-cases.ts'
import { twoInstanceCases } from './two-instances.ts'

export type { ConformanceCase, ConformanceHarness, ConformanceSupervisor } from './harness.ts'
export { startServices } from './service-start.ts'

const TIMEOUT = 300_000

/**
 * Suite that every provider passes against its real supervisor, ours and outside ones. It is independent of the test runner,
 * and cases may run side by side, unless the provider takes no options: then there is one supervisor on a host.
 * `for (const { name, run, timeout } of conformanceCases(harness)) test(name, run,
 * timeout)`.
 */
export function conformanceCases(harness: ConformanceHarness): ConformanceCase[] {
  const cases: ConformanceCase[] = []
  const hasOne = harness.provider.capabilities.optionsSchema === undefined
  const bodies = { ...contractCases, ...stateCases, ...providerCases, ...(hasOne ? {} : twoInstanceCases) }
  for (const [name, body] of Object.entries(bodies)) {
    cases.push({ name, timeout: TIMEOUT, run: () => withLab(harness, lab => body(lab, harness)) })
  }
  return cases
}
