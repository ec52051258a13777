import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { runitHarness } from '../labs/scan-lab.ts'
import { has } from '../runner/requirements.ts'

describe.skipIf(!has('runsvdir'))('conformance: runit', () => {
  // Each case has a supervisor of its own, and waits for its scanner most of the time.
  for (const { name, run, timeout } of conformanceCases(runitHarness)) test.concurrent(name, { timeout }, run)
})
