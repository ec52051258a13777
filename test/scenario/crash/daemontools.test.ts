import { testScanCrashes } from '../../crash/scan-crash.ts'
import { crashScenarios, logScenario } from '../../crash/scenarios.ts'
import { daemontoolsHarness } from '../../labs/scan-lab.ts'

/** A log that is added later requires a new directory here. */
const scenarios = [...crashScenarios, logScenario]

testScanCrashes({ harness: daemontoolsHarness, scanner: 'svscan', scenarios })
