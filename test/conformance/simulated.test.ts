import { describe, test } from 'vitest'
import { type ConformanceHarness, conformanceCases } from '../../src/conformance/index.ts'
import { createSimulatedHarness } from '../labs/simulated-lab.ts'
import { createMeddledProvider } from '../tools/meddled-provider.ts'

// The fake that the engine's properties use has to keep the contract as long as it isn't misled.
function createHarness(): ConformanceHarness {
  return createSimulatedHarness({ wrap: provider => createMeddledProvider(provider).provider })
}

describe('conformance: the simulated supervisor', () => {
  for (const [index, { name, timeout }] of conformanceCases(createHarness()).entries()) {
    // Each case has a supervisor of its own.
    test.concurrent(name, { timeout }, async () => conformanceCases(createHarness())[index]?.run())
  }
})
