import { expect, test } from 'vitest'
import { createTemplateHarness } from '../labs/outside-lab.ts'
import { openReport } from '../runner/report.ts'
import { transitionEverywhere } from '../transition/transition-everywhere.ts'

test('every field that an outside provider honours, changed and changed back, ends as on an empty host', {
  timeout: 240_000,
}, async () => {
  const harness = await createTemplateHarness()
  const { transitions, failures } = await transitionEverywhere(harness)
  const title = 'Fields of a facility through old, new, old, invalid and back: provider as created'
  openReport('transitions-template', title, ['TRANSITIONS', 'FAILED']).add(transitions.length, failures.length)
  expect(failures).toEqual([])
  const fields = transitions.map(({ field }) => field)
  expect(fields).toContain('spec.process.environment.*')
  // It refuses these fields by name.
  for (const refused of ['spec.process.umask', 'spec.process.output.file', 'spec.config.*']) {
    expect(fields).not.toContain(refused)
  }
})
