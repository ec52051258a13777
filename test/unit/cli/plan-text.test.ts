import { describe, expect, test } from 'vitest'
import { outcomeText } from '../../../src/cli/outcome-text.ts'
import { detailedExitCode, hasChanges, planText, summaryText, suspendedText } from '../../../src/cli/plan-text.ts'
import { reasonText } from '../../../src/cli/reason-text.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { FacilityPlan, Plan, PlanSummary, Step } from '../../../src/core/plan/step.ts'

const screen = { colors: plainColors, width: () => undefined }

const unchanged: FacilityPlan = { name: 'idle', supervisor: 'process', service: 'idle', change: 'none', steps: [] }

const plan = planOf([
  {
    name: 'db',
    supervisor: 'process',
    service: 'postgres',
    change: 'none',
    steps: [],
    blocked: 'service postgres exists and is not managed by Reeve:\ndeclare adopt: true, or another serviceName',
  },
  facility('cron', 'remove', [step('cron/stop', 'stop', 'pruned'), step('cron/remove', 'remove', 'pruned')]),
  facility('log', 'repair', [step('log/start', 'start', 'failed')]),
  facility('web', 'add', [
    step('web/install', 'install', 'new'),
    { ...step('web/write-file:/etc/web.toml', 'write-file', 'new'), path: '/etc/web.toml' },
    step('web/enable', 'enable', 'enablement'),
    step('web/start', 'start', 'new'),
  ]),
  {
    ...facility('worker', 'change', [
      {
        ...step('worker/install', 'install', 'definition-changed'),
        diff: '--- on this host\n+++ declared\n@@ -1,2 +1,2 @@\n "command"\n-"old \\u001b[31m"\n+"new"\n',
      },
      {
        ...step('worker/stop@runit:worker', 'stop', 'moved'),
        target: { supervisor: 'runit', service: 'worker' },
      },
    ]),
    rollback: { to: { supervisor: 'runit', service: 'worker' }, from: 'worker/stop@runit:worker', steps: [] },
  },
  unchanged,
])

test('a blocker shared by many facilities is printed once', () => {
  const why = 'supervisor app is unavailable: no s6-svscan scans /run/service; start one'
  const many = Array.from({ length: 40 }, (_, index) => ({ ...facility(`w${index}`, 'none', []), blocked: why }))
  const other = { ...facility('db', 'none', []), blocked: 'it exists' }
  const few = planText(planOf([...many.slice(0, 2), other]), screen)
  expect(few).toContain(
    `3 facilities are blocked:\n  w0, w1 (process)\n      ${why}\n  db (process)\n      it exists\n`,
  )
  expect(planText(planOf(many), screen)).toContain(`  w0, w1, w2, w3, w4 and 35 more (process)\n      ${why}\n\n`)
})

describe('plan text', () => {
  test('blocked facilities come first, then each facility with changes, then the summary', () => {
    expect(planText(plan, screen)).toMatchInlineSnapshot(`
      "1 facility is blocked:
        db (process, service postgres)
            service postgres exists and is not managed by Reeve: declare adopt: true, or another serviceName

      - cron (process)
          stop    its manifest is gone
          remove  its manifest is gone

      ! log (process)
          start  it has failed and should run

      + web (process)
          install              not on this host yet
          write /etc/web.toml  not on this host yet
          enable               it does not start at boot and should
          start                not on this host yet

      ~ worker (process)
          install            its definition changed in the manifest
            --- on this host
            +++ declared
            @@ -1,2 +1,2 @@
             "command"
            -"old \\u001b[31m"
            +"new"
          stop runit:worker  it moved to another supervisor or service name
          roll back to runit:worker  if the move fails

      Plan: 1 to add, 1 to change, 1 to repair, 1 to remove, 1 unchanged, 1 blocked.
      "
    `)
  })

  test('at 40 columns a reason that does not fit beside its step goes below it', () => {
    const text = planText(plan, { colors: plainColors, width: () => 40 })
    expect(text.slice(text.indexOf('- cron'), text.indexOf('      ---'))).toMatchInlineSnapshot(`
      "- cron (process)
          stop    its manifest is gone
          remove  its manifest is gone

      ! log (process)
          start  it has failed and should run

      + web (process)
          install
              not on this host yet
          write /etc/web.toml
              not on this host yet
          enable
              it does not start at boot and
              should
          start
              not on this host yet

      ~ worker (process)
          install
              its definition changed in the
              manifest
      "
    `)
  })

  test('a new file is shown as an addition, and --brief shows only the steps', () => {
    const diff = '--- /dev/null\n+++ /etc/web.toml\n@@ -0,0 +1,1 @@\n+port = 80\n'
    const write: Step = { ...step('web/write-file:/etc/web.toml', 'write-file', 'new'), path: '/etc/web.toml', diff }
    const added = planOf([facility('web', 'add', [write])])
    expect(planText(added, screen)).toContain('      +port = 80\n')
    expect(planText(added, screen, { brief: true })).not.toContain('port')
    const adopted = planOf([facility('web', 'add', [{ ...write, reason: 'adopted' }])])
    expect(planText(adopted, screen, { brief: true })).toContain('      +port = 80\n')
  })

  test.each([
    [0, planOf([unchanged])],
    [2, planOf([facility('web', 'change', [])])],
    [1, planOf([{ ...unchanged, blocked: 'for a reason' }])],
    [1, planOf([{ ...unchanged, blocked: 'for a reason' }, facility('web', 'change', [])])],
  ] as const)('--detailed-exitcode is %i', (code, plan) => {
    expect(detailedExitCode(plan)).toBe(code)
  })

  test('control characters in file contents never reach the terminal', () => {
    expect(planText(plan, screen)).not.toContain('\u001b')
  })

  test('a plan without changes says so, with the number of facilities', () => {
    expect(planText(planOf([unchanged]), screen)).toBe('No changes. 1 facility is as declared.\n')
    expect(planText(planOf([]), screen)).toBe('No changes. 0 facilities are as declared.\n')
  })

  test('PITFALLS 14: a suspended facility is not reported as up to date', () => {
    const one = { facility: 'web', state: 'stopped', declared: 'running' } as const
    const suspended: FacilityPlan = { ...facility('web', 'none', []), suspended: true }
    expect(planText(planOf([suspended, unchanged]), screen, { suspended: [one] })).toBe(
      '1 facility is suspended: web (stopped; declared running)\n\nNo changes. 1 facility is as declared.\n',
    )
    const others = [
      { ...one, facility: 'db', state: 'running' },
      { ...one, facility: 'log', declared: 'unmanaged' },
    ] as const
    expect(suspendedText([one, ...others])).toBe(
      '3 facilities are suspended: web (stopped; declared running), db (running), log (stopped)',
    )
  })

  test('PITFALLS 14: a crash-looping facility is listed first and not reported as up to date', () => {
    const troubles = [{ facility: 'web', reason: 'CrashLooping', message: 'crash loop: it exited with code 3' }]
    const idle = { ...planOf([facility('web', 'none', []), unchanged]), troubles }
    expect(planText(idle, screen)).toBe(
      '1 facility does not stay up:\n  web\n      crash loop: it exited with code 3\n\n' +
        'No changes. 1 facility is as declared, 1 is not.\n',
    )
  })

  test('a failed job is listed separately from a crash loop', () => {
    const down = { facility: 'web', reason: 'CrashLooping', message: 'crash loop: it exited with code 3' }
    const failed = { facility: 'backup', reason: 'RunFailed', message: 'its last run failed: it exited with code 1' }
    const plan = planOf([facility('web', 'none', []), facility('backup', 'none', []), unchanged])
    expect(planText({ ...plan, troubles: [failed, down] }, screen)).toBe(
      '1 facility does not stay up:\n  web\n      crash loop: it exited with code 3\n' +
        '1 job has failed when it ran last:\n  backup\n      its last run failed: it exited with code 1\n\n' +
        'No changes. 1 facility is as declared, 2 are not.\n',
    )
  })

  test('PITFALLS 14: a starting facility is not up to date, in text and in the exit code', () => {
    const troubles = [{ facility: 'web', reason: 'Starting', message: 'starting (since 2026-01-02T11:58:00.000Z)' }]
    const idle = { ...planOf([facility('web', 'none', []), unchanged]), troubles }
    expect(planText(idle, screen)).toBe(
      '1 facility is not yet as declared:\n  web\n      starting (since 2026-01-02T11:58:00.000Z)\n\n' +
        'No changes. 1 facility is as declared, 1 is not.\n',
    )
    expect(detailedExitCode(idle)).toBe(2)
  })

  test('a suspended facility shows the steps that it would get', () => {
    const steps: readonly Step[] = [{ id: 'web/start', verb: 'start', reason: 'stopped', needs: [] }]
    const web: FacilityPlan = { ...facility('web', 'none', []), suspended: true, withheld: { change: 'repair', steps } }
    const suspended = [{ facility: 'web', state: 'stopped', declared: 'running' }] as const
    expect(planText(planOf([web]), screen, { suspended })).toBe(
      '1 facility is suspended: web (stopped; declared running)\n' +
        '  web is otherwise than declared; when it is resumed: start\n\n' +
        'No changes. 0 facilities are as declared.\n',
    )
  })

  test('the last line of apply agrees with the plan', () => {
    const plan = planOf([{ ...facility('web', 'none', []), suspended: true }])
    const suspended = [{ facility: 'web', state: 'absent', declared: 'running' }] as const
    const outcome = { plan, failed: [], notReady: [], undone: [], stepsDone: 0, suspended }
    expect(outcomeText(outcome, { command: 'reeve apply', interrupted: false, colors: plainColors })).toBe(
      '1 facility is suspended: web (absent; declared running)\nNo changes. 0 facilities are as declared.\n',
    )
  })

  test('the last output of a facility that did not become ready is printed below its message, escaped', () => {
    const message = 'crash loop: it exited with code 3; its output ends with:\n  no port\n  \u001b[31mbye'
    const notReady = [{ facility: 'web', message }]
    const outcome = { plan: planOf([unchanged]), failed: [], notReady, undone: [], stepsDone: 2, suspended: [] }
    expect(outcomeText(outcome, { command: 'reeve apply', interrupted: false, colors: plainColors })).toContain(
      'not ready web: crash loop: it exited with code 3; its output ends with:\n    no port\n    \\u001b[31mbye\n',
    )
  })

  test('where only blocked facilities are left, apply does not suggest a rerun', () => {
    const blocked = { ...unchanged, blocked: 'declare adopt: true' }
    const outcome = { plan: planOf([blocked]), notReady: [], undone: [], stepsDone: 2, suspended: [] }
    const say = (failed: ApplyOutcome['failed'], interrupted = false) =>
      outcomeText({ ...outcome, failed }, { command: 'reeve apply', interrupted, colors: plainColors })
    expect(say([])).toBe(
      'blocked idle: declare adopt: true\n' + 'Failed after 2 steps. Resolve the blockers and run reeve apply again.\n',
    )
    const goesOn = 'Fix the cause and run reeve apply again; it resumes from here.\n'
    expect(say([{ facility: 'web', message: 'no luck' }])).toContain(goesOn)
    expect(say([], true)).toContain('Interrupted after 2 steps. Run reeve apply again to resume from here.\n')
  })

  test.each([
    ['add', 'Plan: 1 to add, 0 to change, 0 to repair, 0 to remove, 0 unchanged.'],
    ['change', 'Plan: 0 to add, 1 to change, 0 to repair, 0 to remove, 0 unchanged.'],
    ['repair', 'Plan: 0 to add, 0 to change, 1 to repair, 0 to remove, 0 unchanged.'],
    ['remove', 'Plan: 0 to add, 0 to change, 0 to repair, 1 to remove, 0 unchanged.'],
  ] as const)(
    'PITFALLS 17: the last line of a plan with a facility to %s agrees with the exit code',
    (change, line) => {
      const summary = planOf([facility('web', change, [])]).summary
      expect(summaryText(summary)).toBe(line)
      expect(hasChanges(summary)).toBe(true)
    },
  )

  test('PITFALLS 17: a plan with only blocked facilities has no changes', () => {
    const summary = planOf([{ ...unchanged, blocked: 'for a reason' }]).summary
    expect(hasChanges(summary)).toBe(false)
    expect(summaryText(summary)).toMatch(/^No changes\./)
  })
})

test('a step on enablement is named enable or disable', () => {
  expect(reasonText({ verb: 'enable', reason: 'enablement' })).toBe('it does not start at boot and should')
  expect(reasonText({ verb: 'disable', reason: 'enablement' })).toBe('it starts at boot and should not')
  const drift = 'enablement-drift'
  expect(reasonText({ verb: 'enable', reason: drift })).toBe('it was disabled on the host and should start at boot')
  expect(reasonText({ verb: 'disable', reason: drift })).toBe('it was enabled on the host and should not start at boot')
})

function step(id: string, verb: Step['verb'], reason: Step['reason']): Step {
  return { id, verb, reason, needs: [] }
}

function facility(name: string, change: FacilityPlan['change'], steps: readonly Step[]): FacilityPlan {
  return { name, supervisor: 'process', service: name, change, steps }
}

function planOf(facilities: readonly FacilityPlan[]): Plan {
  const summary: Record<keyof PlanSummary, number> = {
    add: 0,
    change: 0,
    repair: 0,
    remove: 0,
    unchanged: 0,
    blocked: 0,
  }
  for (const { change, blocked } of facilities) {
    summary[blocked !== undefined ? 'blocked' : change === 'none' ? 'unchanged' : change] += 1
  }
  return { formatVersion: 1, digest: '0'.repeat(64), facilities, summary, diagnostics: [] }
}

test('E19: a file that is released but not removed is reported, before and after', () => {
  const kept = [{ path: '/etc/cron.conf', why: 'somebody has changed it since Reeve wrote it' }]
  const facilities = plan.facilities.map(facility => (facility.name === 'cron' ? { ...facility, kept } : facility))
  const text = planText({ ...plan, facilities }, screen)
  expect(text).toContain('    keep /etc/cron.conf  somebody has changed it since Reeve wrote it\n')
  const outcome = { plan: { ...plan, facilities }, failed: [], notReady: [], undone: [], stepsDone: 2, suspended: [] }
  expect(outcomeText(outcome, { command: 'reeve down', interrupted: false, colors: plainColors })).toContain(
    '/etc/cron.conf was kept: somebody has changed it since Reeve wrote it\n',
  )
})

test('a renamed facility is one change, and shows its former name', () => {
  const renamed = {
    ...facility('web', 'change', [step('web/install', 'install', 'definition-changed')]),
    renamedFrom: 'www',
  }
  expect(planText(planOf([renamed]), screen)).toContain('~ web (was www) (process)\n')
})
