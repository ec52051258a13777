import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { enabledPath, layoutOf } from '../../../providers/process/shared/layout.ts'
import { outcomeProblems, outcomeText } from '../../../src/cli/outcome-text.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../../src/core/contracts/engine-event.ts'
import type { Plan } from '../../../src/core/plan/step.ts'
import { takeDown } from '../../../src/engine/execution/down.ts'
import { createEngineLab, longRun } from '../../labs/engine-lab.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Acts as soon as the facility is reported ready. */
function onReady(facility: string, act: () => void): EngineListener {
  return event => {
    if (event.type === 'ready' && event.facility === facility) act()
  }
}

function lastWords(outcome: ApplyOutcome): string {
  return outcomeText(outcome, { command: 'reeve apply', interrupted: false, colors: plainColors })
}

test.concurrent('a service that ends right after it was ready fails the pass', async () => {
  await using lab = createEngineLab()
  const restart = { policy: 'always', delay: '10m' }
  lab.declare('web', {
    process: { command: ['/bin/sh', '-c', `echo $$ > ${lab.path('pid')}; sleep 1000000`], restart },
  })
  const script = `pid=$(cat ${lab.path('pid')}); kill -9 $pid; while [ -d /proc/$pid ]; do sleep 0.05; done`
  const outcome = await lab.apply({ listener: onReady('web', () => spawnSync('/bin/sh', ['-c', script])) })
  // The supervisor may not have noticed yet.
  expect(outcomeProblems(outcome)).toMatchObject([
    { facility: 'web', message: expect.stringMatching(/start \(|it was ready, and then: starting/) },
  ])
  expect(lastWords(outcome)).not.toContain('Done')
})

test.concurrent('a service that its supervisor restarted meanwhile is not ready either', async () => {
  await using lab = createEngineLab()
  lab.declare('web', {
    process: { command: ['/bin/sh', '-c', `echo $$ > ${lab.path('pid')}; sleep 1000000`] },
    readySeconds: 3,
  })
  const script = `pid=$(cat ${lab.path('pid')}); kill -9 $pid; while [ $(cat ${lab.path('pid')}) = $pid ]; do sleep 0.05; done`
  const outcome = await lab.apply({ listener: onReady('web', () => spawnSync('/bin/sh', ['-c', script])) })
  expect(outcomeProblems(outcome)).toMatchObject([{ facility: 'web', message: expect.stringContaining('started') }])
})

test.concurrent('a file that was changed back fails the pass and is named', async () => {
  await using lab = createEngineLab()
  const file = lab.path('web.conf')
  lab.declare('web', { process: longRun(), files: [{ path: file, content: 'one\n', onChange: 'none' }] })
  const outcome = await lab.apply({ listener: onReady('web', () => writeFileSync(file, 'other\n')) })
  expect(outcomeProblems(outcome).map(({ facility, kind }) => [facility, kind])).toEqual([['web', 'not as declared']])
  expect(lastWords(outcome)).toContain(`write ${file}`)
})

test.concurrent('an enablement that was reverted fails the pass, also of a facility without steps', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun(), enabled: true })
  expect(outcomeProblems(await lab.apply())).toEqual([])
  lab.declare('db', { process: longRun(), enabled: true })
  const layout = layoutOf(lab.supervisorDirectory)
  const disable = (): void => {
    for (const name of ['db', 'web']) rmSync(enabledPath(layout, name))
  }
  const outcome = await lab.apply({ listener: onReady('db', disable) })
  expect(outcome.undone.map(({ facility, steps }) => [facility, steps.map(({ verb }) => verb)])).toEqual([
    ['db', ['enable']],
    ['web', ['enable']],
  ])
})

test.concurrent('a service that reappears after its removal fails down', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const definition = `${layoutOf(lab.supervisorDirectory).definitions}/web.json`
  const text = spawnSync('cat', [definition]).stdout
  const session = await lab.open()
  const rollback: EngineListener = event => {
    if (event.type === 'step-finished' && event.step.id === 'web/remove') writeFileSync(definition, text)
  }
  const outcome = await takeDown(session, ['web'], { signal: new AbortController().signal, listener: rollback })
  expect(outcomeProblems(outcome)).toMatchObject([{ facility: 'web', kind: 'not as declared' }])
})

test.concurrent('a lasting change succeeds, at the cost of one observation', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const outcome = await lab.apply()
  expect(outcome.undone).toEqual([])
  expect(lastWords(outcome)).toMatch(/^Done: 1 added/)
})

test.concurrent('an app that rewrites its own file right after its start is named by the next plan', async () => {
  await using lab = createEngineLab()
  const file = lab.path('web.conf')
  const script = `echo own > ${file}; exec sleep 1000000`
  const spec = { process: { command: ['/bin/sh', '-c', script] }, files: [{ path: file, content: 'one\n' }] }
  lab.declare('web', spec)
  const reasons = (plan: Plan): string[] => plan.facilities.flatMap(({ steps }) => steps.map(({ reason }) => reason))
  const first = await lab.apply()
  expect(first.undone.flatMap(({ steps }) => steps.map(({ reason }) => reason))).toContain('file-drift')
  expect(reasons(await lab.plan())).toEqual(['file-drift'])
  lab.declare('web', { ...spec, files: [{ path: file, content: 'two\n' }] })
  expect(reasons(await lab.plan())).toEqual(['file-changed', 'file-changed'])
})
