import { describe } from 'vitest'
import { processHarness } from '../../labs/process-lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { testEnvironmentFiles } from '../../tools/environment-file-cases.ts'

testEnvironmentFiles(processHarness)
for (const { scanner, harness } of scanFamilies) {
  describe.skipIf(!has(scanner))(scanner, () => testEnvironmentFiles(harness))
}
