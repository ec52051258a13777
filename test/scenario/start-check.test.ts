import { describe, test } from 'vitest'
import { processHarness } from '../process-lab.ts'
import { has } from '../requirements.ts'
import { scanFamilies } from '../scan-lab.ts'
import { proveLeftRunning, proveWarned } from '../start-check/mistake-cases.ts'
import { listScanMistakes, mistakes } from '../start-check/mistakes.ts'

const isRoot = process.geteuid?.() === 0
const families = [
  { harness: processHarness, isThere: true, more: [] },
  ...scanFamilies.map(({ scanner, harness }) => {
    return { harness, isThere: has(scanner), more: listScanMistakes(harness.provider.type) }
  }),
]

for (const { harness, isThere, more } of families) {
  describe.skipIf(!isThere).concurrent(harness.provider.type, { timeout: 300_000 }, () => {
    for (const mistake of [...mistakes, ...more].filter(({ isOfUsers = false }) => isRoot || !isOfUsers)) {
      test(`a service that runs is left as it is by ${mistake.name}`, () => proveLeftRunning(harness, mistake))
      test(`a first start is tried, and told of before and after, with ${mistake.name}`, () =>
        proveWarned(harness, mistake))
    }
  })
}
