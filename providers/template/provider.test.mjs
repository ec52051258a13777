import { describe, test } from 'node:test'
import { conformanceCases } from 'reeve/conformance'
import { harness } from './harness.mjs'

// Each case has a supervisor of its own. Lower the concurrency if yours is heavy.
describe('conformance', { concurrency: 8 }, () => {
  for (const { name, run, timeout } of conformanceCases(harness)) test(name, { timeout }, run)
})
