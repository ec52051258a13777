import { expect, test } from 'vitest'
import schema from '../../schemas/facility.schema.json' with { type: 'json' }
import { processHarness } from '../labs/process-lab.ts'
import { openReport } from '../runner/report.ts'
import { listFields } from '../transition/schema-fields.ts'
import { transitionEverywhere } from '../transition/transition-everywhere.ts'

const config = { valid: { umask: '0027' }, invalid: { umask: 27 } }

test('every field of a facility, changed, changed back, made invalid and corrected, ends as on an empty host', {
  timeout: 240_000,
}, async () => {
  const { transitions, failures } = await transitionEverywhere(processHarness, config)
  const fields = [...new Set(transitions.map(({ field }) => field))].sort()
  const report = openReport('transitions-process', 'Fields of a facility through old, new, old, invalid and back', [
    'FIELDS',
    'TRANSITIONS',
    'FAILED',
  ])
  report.add(fields.length, transitions.length, failures.length)
  expect(failures).toEqual([])
  expect(fields, 'a field without a transition: test/transition/transitions.ts wants a line').toEqual(
    listFields(schema),
  )
})
