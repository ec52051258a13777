import { describe, test } from 'vitest'
import { drawSample } from '../runner/sample.ts'
import { proveLeftRunning, proveWarned } from '../start-check/mistake-cases.ts'
import { mistakes, systemdMistakes } from '../start-check/mistakes.ts'
import { systemHarness } from '../systemd-lab/harness.ts'

/** In each run a mistake is made before the first start or after it, and the other way in another run. */
const { stride, first } = drawSample(2)

describe.skipIf(process.env.REEVE_MACHINE === undefined)('systemd', () => {
  const all = [...mistakes, ...systemdMistakes].filter(({ isForgivenBy }) => isForgivenBy !== 'systemd')
  for (const [index, mistake] of all.entries()) {
    const isDrawn = (way: number): boolean => (index + way) % stride === first - 1
    if (isDrawn(0))
      test(`a running service is left alone despite ${mistake.name}`, () => proveLeftRunning(systemHarness, mistake))
    if (isDrawn(1))
      test(`a first start is tried despite ${mistake.name}, which is reported before and after`, () =>
        proveWarned(systemHarness, mistake))
  }
})
