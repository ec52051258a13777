import { expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { describeDone, planManualAction } from '../../../../src/engine/control/manual-action.ts'

const at = { name: 'backup', supervisor: 'systemd', service: 'backup' }
const waits: Observed = {
  service: 'backup',
  state: 'running',
  enabled: true,
  supervised: true,
  activation: { starts: ['backup.service'] },
}

test('a waiting activation unit has its job started; a stopped one is started and waits', () => {
  const job = planManualAction('start', at, waits, undefined, {})
  expect(job).toMatchObject({ startsJob: true, plan: { steps: [{ verb: 'start', reason: 'requested' }] } })
  if (!('plan' in job)) throw new Error('expected a plan')
  expect(describeDone('start', job).message).toBe(
    'backup: backup.service was started now, beside what starts it otherwise; reeve status backup tells how it went',
  )
  const timer = planManualAction('start', at, { ...waits, state: 'stopped' }, undefined, {})
  expect(timer).not.toHaveProperty('startsJob')
  if (!('plan' in timer)) throw new Error('expected a plan')
  expect(describeDone('start', timer).message).toBe(
    'backup started, and waits for its time or its visitors; reeve start backup once more starts backup.service now',
  )
  expect(planManualAction('restart', at, waits, undefined, {})).not.toHaveProperty('startsJob')
})

test.each([
  [{ starts: ['backup.service'], lastRun: { outcome: 'running' } }, 'and so is what it starts: backup.service'],
  [{ starts: ['backup@.service'], connections: { accepted: 1, open: 0 } }, 'each connection starts a process'],
] as const)('no job is started if one runs or each connection has its own process: %j', (activation, said) => {
  const found = planManualAction('start', at, { ...waits, activation }, undefined, {})
  expect(found).toMatchObject({ outcome: { changed: false, message: expect.stringContaining(said) } })
})
