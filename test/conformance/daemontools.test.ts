import { describe, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { has } from '../requirements.ts'
import { daemontoolsHarness } from '../scan-lab.ts'

describe.skipIf(!has('svscan'))('conformance: daemontools', () => {
  for (const { name, run, timeout } of conformanceCases(daemontoolsHarness)) test(name, { timeout }, run)
})
