import { expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import type { Snapshot } from '../../../../src/core/state/snapshot.ts'
import { describeDone, planManualAction } from '../../../../src/engine/control/manual-action.ts'
import { asDeclared } from '../../../simulation/planning-case.ts'

const at = { name: 'backup', supervisor: 'systemd', service: 'backup' }
const waits: Observed = {
  service: 'backup',
  state: 'running',
  enabled: true,
  supervised: true,
  activation: { starts: ['backup.service'] },
}

function seen(observed: Observed, more: Partial<Snapshot> = {}): Snapshot {
  const services = new Map([['systemd/backup', observed]])
  return { services, owned: [], unavailable: new Map(), files: new Map(), ...more }
}

test('a waiting activation unit has its job started; a stopped one is started and waits', () => {
  const job = planManualAction('start', at, seen(waits), undefined, {})
  expect(job).toMatchObject({ startsJob: true, plan: { steps: [{ verb: 'start', reason: 'requested' }] } })
  if (!('plan' in job)) throw new Error('expected a plan')
  expect(describeDone('start', job).message).toBe(
    'backup: backup.service was started now, beside what starts it otherwise; reeve status backup tells how it went',
  )
  const timer = planManualAction('start', at, seen({ ...waits, state: 'stopped' }), undefined, {})
  expect(timer).not.toHaveProperty('startsJob')
  if (!('plan' in timer)) throw new Error('expected a plan')
  expect(describeDone('start', timer).message).toBe(
    'backup started, and waits for its time or its visitors; reeve start backup once more starts backup.service now',
  )
  expect(planManualAction('restart', at, seen(waits), undefined, {})).not.toHaveProperty('startsJob')
})

test.each([
  [{ starts: ['backup.service'], lastRun: { outcome: 'running' } }, 'and so is what it starts: backup.service'],
  [{ starts: ['backup@.service'], connections: { accepted: 1, open: 0 } }, 'each connection starts a process'],
] as const)('no job is started if one runs or each connection has its own process: %j', (activation, said) => {
  const found = planManualAction('start', at, seen({ ...waits, activation }), undefined, {})
  expect(found).toMatchObject({ outcome: { changed: false, message: expect.stringContaining(said) } })
})

test.each([
  ['read before it was started, as the plan has it', 2_000, 1_000, false],
  ['written after it was started', 2_000, 3_000, true],
])('restart --if-changed, where only the time of a file tells that it was %s', (_name, startedAt, changed, isDone) => {
  const row = asDeclared({ name: 'backup', files: [{ path: '/etc/backup.conf', content: 'one' }] })
  const { files } = row.target
  const file = { kind: 'file', digest: files[0]?.digest ?? '', changed } as const
  const observed = {
    ...row.observed,
    ...waits,
    startedAt,
    loaded: { definition: row.target.definition?.digest ?? '', files: {} },
  }
  const snapshot = seen(observed, { files: new Map([['/etc/backup.conf', file]]) })
  const action = planManualAction('restart', at, snapshot, row.target, { ifChanged: true })
  expect('plan' in action).toBe(isDone)
})
