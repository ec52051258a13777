import { systemHarness } from '../systemd-lab/harness.ts'
import { testEnvironmentFiles } from '../tools/environment-file-cases.ts'

testEnvironmentFiles(systemHarness, { isAlone: true })
