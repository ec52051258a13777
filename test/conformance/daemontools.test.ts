import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { daemontoolsHarness } from '../labs/scan-lab.ts'
import { has } from '../runner/requirements.ts'

describe.skipIf(!has('svscan'))('conformance: daemontools', () => {
  // Each case has a supervisor of its own, and waits for its scanner most of the time.
  for (const { name, run, timeout } of conformanceCases(daemontoolsHarness)) test.concurrent(name, { timeout }, run)
})
