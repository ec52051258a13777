import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openReport } from '../runner/report.ts'
import { systemHarness } from '../systemd-lab/harness.ts'
import { transitionEverywhere } from '../transition/transition-everywhere.ts'

const config = {
  valid: { unit: { Service: { Nice: 5 } }, dropIns: { a: { Service: { OOMScoreAdjust: 5 } } } },
  invalid: { dropIns: { a: 5 } },
}
const title = 'Fields of a facility through old, new, old, invalid and back: provider systemd'
const report = openReport('transitions-systemd', title, ['TRANSITIONS', 'FAILED'])

describe.skipIf(process.env.REEVE_MACHINE === undefined)('transitions', () => {
  test('every field of a facility, changed, changed back, made invalid and corrected, ends as on an empty host', {
    timeout: 240_000,
  }, async () => {
    writeFileSync('/etc/hosts', '127.0.0.1 localhost\n') // the machine has none
    const { transitions, failures } = await transitionEverywhere(systemHarness, config)
    report.add(transitions.length, failures.length)
    expect(failures).toEqual([])
  })
})
