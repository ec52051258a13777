import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { createPidfileHarness } from '../labs/outside-lab.ts'

const harness = await createPidfileHarness()

describe('conformance: the example of an outside provider', () => {
  for (const { name, run, timeout } of conformanceCases(harness)) test.concurrent(name, { timeout }, run)
})
