import { testScanCrashes } from '../crash/scan-crash.ts'
import { crashScenarios } from '../crash/scenarios.ts'
import { daemontoolsHarness } from '../scan-lab.ts'

/** What fails there does so for good, which this supervisor can't have: it refuses `restart.policy` by name. */
const scenarios = crashScenarios.filter(({ fails }) => !fails)

testScanCrashes({ harness: daemontoolsHarness, scanner: 'svscan', scenarios, first: 7 })
