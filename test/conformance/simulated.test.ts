import { describe, test } from 'vitest'
import { type ConformanceHarness, conformanceCases } from '../../src/conformance/index.ts'
import { createSimulatedHarness } from '../labs/simulated-lab.ts'
import { createMeddledProvider } from '../tools/meddled-provider.ts'

// The fake of the engine's properties has to keep the contract as long as nobody misleads it.
function createHarness(): ConformanceHarness {
  return createSimulatedHarness({ wrap: provider => createMeddledProvider(provider).provider })
}

describe('conformance: the simulated supervisor', () => {
  for (const [index, { name, timeout }] of conformanceCases(createHarness()).entries()) {
    // Each has a supervisor of its own, to be misled by itself.
    test.concurrent(name, { timeout }, async () => conformanceCases(createHarness())[index]?.run())
  }
})
