import { crashScenarios } from '../crash/scenarios.ts'
import { testSystemdCrashes } from '../systemd-lab/systemd-crash.ts'

testSystemdCrashes(
  'changes',
  crashScenarios.filter(({ name }) => !name.includes('move')),
)
