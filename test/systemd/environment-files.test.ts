import { testEnvironmentFiles } from '../environment-file-cases.ts'
import { systemHarness } from '../systemd-lab/harness.ts'

testEnvironmentFiles(systemHarness, { isAlone: true })
