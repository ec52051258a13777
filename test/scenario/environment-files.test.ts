import { describe } from 'vitest'
import { testEnvironmentFiles } from '../environment-file-cases.ts'
import { processHarness } from '../process-lab.ts'
import { has } from '../requirements.ts'
import { scanFamilies } from '../scan-lab.ts'

testEnvironmentFiles(processHarness)
for (const { scanner, harness } of scanFamilies) {
  describe.skipIf(!has(scanner))(scanner, () => testEnvironmentFiles(harness))
}
