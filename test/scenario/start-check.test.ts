import { describe, test } from 'vitest'
import { processHarness } from '../process-lab.ts'
import { has } from '../requirements.ts'
import { scanFamilies } from '../scan-lab.ts'
import { proveLeftRunning, proveWarned } from '../start-check/mistake-cases.ts'
import { mistakes } from '../start-check/mistakes.ts'

const isRoot = process.geteuid?.() === 0
const families = [
  { harness: processHarness, isThere: true },
  ...scanFamilies.map(({ scanner, harness }) => ({ harness, isThere: has(scanner) })),
]

for (const { harness, isThere } of families) {
  describe.skipIf(!isThere).concurrent(harness.provider.type, { timeout: 300_000 }, () => {
    for (const mistake of mistakes.filter(({ isOfUsers = false }) => isRoot || !isOfUsers)) {
      test(`a service that runs is left as it is by ${mistake.name}`, () => proveLeftRunning(harness, mistake))
      test(`a first start is tried, and told of before and after, with ${mistake.name}`, () =>
        proveWarned(harness, mistake))
    }
  })
}
