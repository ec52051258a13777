import { testScanCrashes } from '../../crash/scan-crash.ts'
import { crashScenarios } from '../../crash/scenarios.ts'
import { s6Harness } from '../../labs/scan-lab.ts'

testScanCrashes({ harness: s6Harness, scanner: 's6-svscan', scenarios: crashScenarios })
