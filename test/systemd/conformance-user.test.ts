import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { userHarness } from '../systemd-lab/harness.ts'

describe.skipIf(process.env.REEVE_MACHINE === undefined)('conformance: systemd, user manager', () => {
  // Each case has a manager of its own.
  for (const { name, run, timeout } of conformanceCases(userHarness)) test.concurrent(name, { timeout }, run)
})
