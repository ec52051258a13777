import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { has } from '../requirements.ts'
import { daemontoolsHarness } from '../scan-lab.ts'

describe.skipIf(!has('svscan'))('conformance: daemontools', () => {
  // Each has a supervisor of its own, and waits for its scanner most of the time.
  for (const { name, run, timeout } of conformanceCases(daemontoolsHarness)) test.concurrent(name, { timeout }, run)
})
