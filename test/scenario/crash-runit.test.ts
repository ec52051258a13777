import { testScanCrashes } from '../crash/scan-crash.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { runitHarness } from '../scan-lab.ts'

testScanCrashes({ harness: runitHarness, scanner: 'runsvdir', scenarios: crashScenarios })
