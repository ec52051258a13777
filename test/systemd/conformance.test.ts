import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { systemHarness, userHarness } from '../systemd-lab/harness.ts'

const isHere = process.env.REEVE_MACHINE !== undefined

describe.skipIf(!isHere)('conformance: systemd, the system’s', () => {
  for (const { name, run, timeout } of conformanceCases(systemHarness)) test(name, { timeout }, run)
})

describe.skipIf(!isHere)('conformance: systemd, a user’s', () => {
  for (const { name, run, timeout } of conformanceCases(userHarness)) test(name, { timeout }, run)
})
