import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { has } from '../requirements.ts'
import { runitHarness } from '../scan-lab.ts'

describe.skipIf(!has('runsvdir'))('conformance: runit', () => {
  for (const { name, run, timeout } of conformanceCases(runitHarness)) test(name, { timeout }, run)
})
