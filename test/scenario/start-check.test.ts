import { describe, test } from 'vitest'
import { processHarness } from '../labs/process-lab.ts'
import { scanFamilies } from '../labs/scan-lab.ts'
import { openReport } from '../runner/report.ts'
import { has } from '../runner/requirements.ts'
import { drawSample, sampleOf } from '../runner/sample.ts'
import { proveLeftRunning, proveWarned } from '../start-check/mistake-cases.ts'
import { listScanMistakes, mistakes } from '../start-check/mistakes.ts'

const isRoot = process.geteuid?.() === 0
const families = [
  { harness: processHarness, isThere: true, more: [] },
  ...scanFamilies.map(({ scanner, harness }) => {
    return { harness, isThere: has(scanner), more: listScanMistakes(harness.provider.type) }
  }),
]

/** The check is the same for all providers: each mistake is tested under one of them, and in the next run under another. */
const { stride, first } = drawSample(families.length)
openReport('start-check', 'Mistakes that keep a service from starting, under one provider each', [
  'MISTAKES',
  'PROVIDERS',
  'FIRST',
  'STRIDE',
]).add(mistakes.length, families.length, first, stride)

families.forEach(({ harness, isThere, more }, family) => {
  const sample = { stride, first: 1 + ((first - 1 + family) % stride) }
  describe.skipIf(!isThere).concurrent(harness.provider.type, { timeout: 300_000 }, () => {
    for (const mistake of [...sampleOf(mistakes, sample), ...more].filter(({ isOfUsers }) => isRoot || !isOfUsers)) {
      test(`a running service is left alone despite ${mistake.name}`, () => proveLeftRunning(harness, mistake))
      test(`a first start is tried despite ${mistake.name}, which is reported before and after`, () =>
        proveWarned(harness, mistake))
    }
  })
})
