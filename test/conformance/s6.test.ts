import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { has } from '../requirements.ts'
import { s6Harness } from '../scan-lab.ts'

describe.skipIf(!has('s6-svscan'))('conformance: s6', () => {
  // Each has a supervisor of its own, and waits for its scanner most of the time.
  for (const { name, run, timeout } of conformanceCases(s6Harness)) test.concurrent(name, { timeout }, run)
})
