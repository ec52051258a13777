import picocolors from 'picocolors'
import { describe, expect, test } from 'vitest'
import { plainColors } from '../../../src/cli/screen.ts'
import { facilityStatusText, statusText } from '../../../src/cli/status-table.ts'
import type { Condition, FacilityStatus, Status } from '../../../src/core/contracts/status.ts'

const now = Date.parse('2026-01-02T12:00:00.000Z')

const status: Status = {
  facilities: [
    facility('maintenance', { state: 'stopped', enabled: false, pid: null, health: 'none' }),
    facility('web', { health: 'healthy', pid: 4242 }),
    facility('worker', {
      service: 'queue-worker',
      overrides: ['/etc/worker.d/theirs.conf'],
      elsewhere: [{ supervisor: 'old-runit', service: 'worker', state: 'running', pid: 17 }],
      state: 'starting',
      pid: 4250,
      since: '2026-01-02T11:59:52.000Z',
      conditions: [
        condition('Ready', 'False', 'Waiting', 'it waits for web to become ready'),
        condition('Reconciling', 'True', 'Waiting', 'it waits for web to become ready\nfor the second time'),
      ],
    }),
    facility('zeta', {
      state: 'failed',
      enabled: null,
      conditions: [condition('Stalled', 'True', 'Failed', 'exited with 1 five times')],
    }),
  ],
}

describe('status table', () => {
  test('a pipe gets every column in full', () => {
    expect(table(undefined)).toMatchInlineSnapshot(`
      "NAME         SUPERVISOR  STATE     ENABLED  HEALTH   PID   UPTIME  RESTARTS  CONDITION
      maintenance  process     stopped   no       -        -     -       -         Ready
      web          process     running   yes      healthy  4242  3h5m    -         Ready
      worker       process     starting  yes      unknown  4250  -       -         Reconciling: it waits for web to become ready for the second time
      zeta         process     failed    -        unknown  -     -       -         Stalled: exited with 1 five times
      "
    `)
  })

  test.each([
    ['Suspended', 'suspended; observed only until resumed', 'True', 'Ready, suspended'],
    ['Suspended', 'suspended; observed only until resumed', 'False', 'Not ready, suspended: stopped'],
    ['OutOfSync', 'to do: reload', 'True', 'Ready; to do: reload'],
    ['OutOfSync', 'to do: enable, start', 'False', 'Not ready: stopped; to do: enable, start'],
    ['AsDeclared', 'nothing to do', 'True', 'Ready'],
  ] as const)(
    'a %s facility is marked (%s, ready: %s), and not in the colour of a ready one',
    (reason, message, ready, said) => {
      const conditions = [
        condition('Ready', ready, 'Some', ready === 'True' ? 'running' : 'stopped'),
        condition('Reconciling', 'False', reason, message),
        condition('Stalled', 'False', 'Progressing', ''),
      ]
      const colors = picocolors.createColors(true)
      const screen = { colors, width: () => undefined }
      const [, row = ''] = statusText({ facilities: [facility('web', { conditions })] }, screen, now).split('\n')
      const color = said === 'Ready' ? colors.green : colors.yellow
      expect(row.endsWith(` ${color(said)}`), row).toBe(true)
    },
  )

  test('a suspended, stalled facility is marked as both', () => {
    const conditions = [
      condition('Reconciling', 'False', 'Suspended', 'observed only'),
      condition('Stalled', 'True', 'CrashLooping', 'exited with 1'),
    ]
    const text = statusText(
      { facilities: [facility('web', { conditions })] },
      { colors: plainColors, width: () => undefined },
      now,
    )
    expect(text).toContain('Stalled, suspended: exited with 1\n')
  })

  test.each([
    ['CrashLooping', 'exited with 1', 'to do: install, restart', 'Stalled: exited with 1; to do: install, restart'],
    ['Blocked', 'the port is taken', 'blocked: the port is taken', 'Stalled: the port is taken'],
  ] as const)('a stalled facility (%s) tells once what there is to do', (reason, message, pending, expected) => {
    const conditions = [
      condition('Reconciling', 'False', 'OutOfSync', pending),
      condition('Stalled', 'True', reason, message),
    ]
    const facilities = [facility('web', { conditions, pending })]
    const text = statusText({ facilities }, { colors: plainColors, width: () => undefined }, now)
    expect(text).toContain(`${expected}\n`)
  })

  test('80 columns drop optional columns and cut the condition', () => {
    expect(table(80)).toMatchInlineSnapshot(`
      "NAME         STATE     HEALTH   CONDITION
      maintenance  stopped   -        Ready
      web          running   healthy  Ready
      worker       starting  unknown  Reconciling: it waits for web to become ready f…
      zeta         failed    unknown  Stalled: exited with 1 five times
      "
    `)
  })

  test('60 columns also drop the health', () => {
    expect(table(60)).toMatchInlineSnapshot(`
      "NAME         STATE     CONDITION
      maintenance  stopped   Ready
      web          running   Ready
      worker       starting  Reconciling: it waits for web to bec…
      zeta         failed    Stalled: exited with 1 five times
      "
    `)
  })

  test.each([100, 80, 60, 50])('no line is longer than %i columns, and every line has name and state', width => {
    const lines = table(width).trimEnd().split('\n')
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width)
    expect(lines[0]).toMatch(/^NAME .*STATE/)
  })

  test('a timer shows its next run, its last result, and its last failure', () => {
    const at = '2026-01-02T11:58:00.000Z'
    const failure = { message: 'it exited with code 3', at }
    const timer = { starts: ['backup.service'], nextRun: '2026-01-03T00:00:00.000Z', lastRun: null }
    const failed = {
      began: '2026-01-02T11:57:00.000Z',
      ended: at,
      outcome: 'failed',
      message: failure.message,
    } as const
    const notReady = [condition('Ready', 'False', 'RunFailed', 'its last run failed: it exited with code 3')]
    const screen = { colors: plainColors, width: () => undefined }
    const tell = (activation: FacilityStatus['activation'], conditions?: readonly Condition[]): string[] => {
      const one = facility('backup', { ...(activation && { activation }), ...(conditions && { conditions }) })
      const [, row = ''] = statusText({ facilities: [one] }, screen, now).split('\n')
      const lines = facilityStatusText(one, screen, now).split('\n')
      return [
        row.slice(row.indexOf('-  ')).trim(),
        ...lines.filter(line => /^ {2}(?:starts|next|last|conn)/.test(line)),
      ]
    }
    expect(tell(timer)).toEqual([
      expect.stringMatching(/Ready; next run in 12h$/),
      '  starts       backup.service',
      '  next run     2026-01-03T00:00:00.000Z (in 12h)',
      '  last run     -',
    ])
    expect(tell({ ...timer, lastRun: failed, failure }, notReady)).toEqual([
      expect.stringMatching(/Not ready: its last run failed: it exited with code 3 \(2m ago\)$/),
      '  starts       backup.service',
      '  next run     2026-01-03T00:00:00.000Z (in 12h)',
      `  last run     failed ${at} (2m): it exited with code 3`,
    ])
    const running = { began: '2026-01-02T11:59:30.000Z', ended: null, outcome: 'running' } as const
    const open = { accepted: 7, open: 1 }
    expect(tell({ ...timer, nextRun: null, lastRun: running, failure, connections: open }, notReady).slice(1)).toEqual([
      '  starts       backup.service',
      '  last run     running since 2026-01-02T11:59:30.000Z (30s)',
      `  last failed  ${at} (2m): it exited with code 3`,
      '  connections  1 open, 7 accepted',
    ])
  })

  test("the controller's own state comes first", () => {
    const controller = { pid: 1, since: '2026-01-02T00:00:00.000Z', lastPass: null, problems: ['web.yaml: is invalid'] }
    const screen = { colors: plainColors, width: () => undefined }
    expect(statusText({ facilities: [], controller }, screen, now)).toBe('! web.yaml: is invalid\nNo facilities.\n')
  })

  test('of a single facility, long causes are listed below their label', () => {
    const message = 'exited with code 3: /etc/web.conf line 12 names a port that another process has'
    const conditions = [condition('Stalled', 'True', 'CrashLooping', message)]
    const one = facility('web', { lastExit: { code: 3, message }, conditions })
    const text = facilityStatusText(one, { colors: plainColors, width: () => 60 }, now)
    expect(text).toContain(
      '  last exit    exited with code 3: /etc/web.conf line 12\n' +
        '               names a port that another process has\n',
    )
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(60)
  })

  test('a starting facility shows for how long', () => {
    const conditions = [condition('Ready', 'False', 'Starting', 'starting: it says nothing')]
    const fields = { state: 'starting', since: '2026-01-02T11:59:52.000Z', conditions } as const
    const screen = { colors: plainColors, width: () => undefined }
    const text = statusText({ facilities: [facility('web', fields)] }, screen, now)
    expect(text).toContain('Not ready: starting: it says nothing (for 8s)\n')
  })

  test('S10: the last output of a crash-looping facility is listed line by line, escaped', () => {
    const lastExit = { code: 3, message: 'exited with code 3' }
    const one = facility('web', { restarts: 2, lastExit, lastOutput: ['cannot bind', '\u001b[31mport\ttaken'] })
    expect(facilityStatusText(one, { colors: plainColors, width: () => undefined }, now)).toContain(
      '  restarts     2\n' +
        '  last exit    exited with code 3\n' +
        '  last output  cannot bind\n' +
        '               \\u001b[31mport taken\n',
    )
  })

  test('of a single facility, everything is shown', () => {
    const [, , worker] = status.facilities
    expect(worker && facilityStatusText(worker, { colors: plainColors, width: () => 60 }, now)).toMatchInlineSnapshot(`
      "worker
        supervisor   process (service queue-worker)
        state        starting since 2026-01-02T11:59:52.000Z (8s)
        enabled      yes
        health       unknown
        pid          4250
        override     /etc/worker.d/theirs.conf
        elsewhere    old-runit/worker: running, pid 17
        Ready        False, Waiting: it waits for web to become
                     ready (1m)
        Reconciling  True, Waiting: it waits for web to become
                     ready for the second time (1m)
      "
    `)
  })
})

function table(width: number | undefined): string {
  return statusText(status, { colors: plainColors, width: () => width }, now)
}

function facility(name: string, fields: Partial<FacilityStatus>): FacilityStatus {
  return {
    name,
    supervisor: 'process',
    service: name,
    state: 'running',
    enabled: true,
    pid: null,
    since: '2026-01-02T08:55:00.000Z',
    health: 'unknown',
    conditions: [condition('Ready', 'True', 'AsDeclared', '')],
    ...fields,
  }
}

function condition(type: Condition['type'], status: Condition['status'], reason: string, message: string): Condition {
  return { type, status, reason, message, since: '2026-01-02T11:59:00.000Z' }
}
