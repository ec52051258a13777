import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { processHarness } from '../labs/process-lab.ts'

describe('conformance: process', () => {
  for (const { name, run, timeout } of conformanceCases(processHarness)) test.concurrent(name, { timeout }, run)
})
