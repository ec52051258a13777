import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { s6Harness } from '../labs/scan-lab.ts'
import { has } from '../runner/requirements.ts'

describe.skipIf(!has('s6-svscan'))('conformance: s6', () => {
  // Each case has a supervisor of its own, and waits for its scanner most of the time.
  for (const { name, run, timeout } of conformanceCases(s6Harness)) test.concurrent(name, { timeout }, run)
})
