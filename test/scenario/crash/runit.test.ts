import { testScanCrashes } from '../../crash/scan-crash.ts'
import { crashScenarios } from '../../crash/scenarios.ts'
import { runitHarness } from '../../labs/scan-lab.ts'

testScanCrashes({ harness: runitHarness, scanner: 'runsvdir', scenarios: crashScenarios })
