import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { systemHarness } from '../systemd-lab/harness.ts'

describe.skipIf(process.env.REEVE_MACHINE === undefined)('conformance: systemd, system manager', () => {
  for (const { name, run, timeout } of conformanceCases(systemHarness)) test(name, { timeout }, run)
})
