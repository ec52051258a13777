import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import { createSimulatedHarness } from '../labs/simulated-lab.ts'
import { openReport } from '../runner/report.ts'
import { faults } from './faults.ts'

const report = openReport('planted-faults', 'Faults of a provider, and what the conformance suite says of them', [
  'FAULT',
  'CASE',
  'ERROR',
])

/** In ms: the fake takes no time, and most faults are found by a timeout. */
const PATIENCE = 2_000

describe('conformance: the suite catches', () => {
  test.concurrent.each(faults)('$what', async ({ what, caughtBy, spoilt }) => {
    const harness = createSimulatedHarness({ ...spoilt, patience: PATIENCE })
    const found = conformanceCases(harness).find(({ name }) => name === caughtBy)
    assert.ok(found, `the suite has no case: ${caughtBy}`)
    const error = await found.run().then(
      () => undefined,
      (cause: unknown) => messageOf(cause),
    )
    expect(error, 'the fault was caught').toBeDefined()
    report.add(what, caughtBy, (error ?? '').split('\n')[0] ?? '')
  })
})
