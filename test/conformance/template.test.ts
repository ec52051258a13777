import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { createTemplateHarness } from '../labs/outside-lab.ts'

const harness = await createTemplateHarness()

describe('conformance: the provider that `reeve create-provider` writes', () => {
  for (const { name, run, timeout } of conformanceCases(harness)) test.concurrent(name, { timeout }, run)
})
