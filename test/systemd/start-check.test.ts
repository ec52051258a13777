import { describe, test } from 'vitest'
import { proveLeftRunning, proveWarned } from '../start-check/mistake-cases.ts'
import { mistakes } from '../start-check/mistakes.ts'
import { systemHarness } from '../systemd-lab/harness.ts'

describe.skipIf(process.env.REEVE_MACHINE === undefined)('systemd', () => {
  for (const mistake of mistakes.filter(({ isForgivenBy }) => isForgivenBy !== 'systemd')) {
    test(`a service that runs is left as it is by ${mistake.name}`, () => proveLeftRunning(systemHarness, mistake))
    test(`a first start is tried, and told of before and after, with ${mistake.name}`, () =>
      proveWarned(systemHarness, mistake))
  }
})
