import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { openrcHarness } from './harness.ts'

describe.skipIf(process.env.REEVE_MACHINE !== 'openrc')('conformance: openrc', () => {
  for (const { name, run, timeout } of conformanceCases(openrcHarness)) test(name, { timeout }, run)
})
