import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createRolloutLab, failing, sleeper } from '../../labs/rollout-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'

async function readMetrics(port: number, pattern: RegExp): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return text.split('\n').filter(line => pattern.test(line))
}

test('in report mode no revision is judged, however long it lasts and however often the controller begins', async () => {
  await using lab = createRolloutLab()
  const first = lab.declare({ web: sleeper(1) })
  const reconciling = await lab.run()
  await lab.outcome(reconciling, first, 'Healthy')
  await reconciling.stop()
  const path = lab.host.path('reeve.yaml')
  const reconciled = readFileSync(path, 'utf8')
  const hasty = reconciled.replace(/^rollout:$/m, '$&\n  healthyDeadline: 1s\n  progressDeadline: 1s')
  expect(hasty).not.toBe(reconciled)
  writeFileSync(path, `${hasty.trimEnd()}\nmode: report\nresync: 1s\n`)
  const next = lab.declare({ web: sleeper(2) })
  for (let start = 0; start < 5; start += 1) {
    const controller = await lab.run()
    await controller.control.sync()
    const { revision, rollout } = await lab.outcome(controller, next, 'Pending')
    expect([revision?.commit, rollout?.message]).toEqual([next, undefined])
    await controller.stop()
  }
  const controller = await lab.run()
  const late = Date.now() + 2_000
  await eventually('passes beyond the deadline', async () => {
    const { lastPass } = (await controller.control.status()).controller ?? {}
    return Date.parse(lastPass ?? '') > late
  })
  expect((await controller.status('web'))?.pending).toBe('to do: install, restart')
  expect(lab.outcomes(controller.session)).toBe('Healthy Pending')
  await controller.stop()
  writeFileSync(path, reconciled)
  await lab.outcome(await lab.run(), next, 'Healthy')
})

test('metrics count roll-outs by outcome, and name the newest revision and the one in force', async () => {
  await using lab = createRolloutLab()
  const port = await findFreePort()
  appendFileSync(lab.host.path('reeve.yaml'), `listen: ${port}\n`)
  const good = lab.declare({ web: sleeper(1) })
  const controller = await lab.run()
  await lab.outcome(controller, good, 'Healthy')
  const bad = lab.declare({ web: failing })
  await controller.control.sync()
  await lab.outcome(controller, bad, 'RolledBack')
  await eventually('the rollback to be counted', async () =>
    (await readMetrics(port, /^reeve_rollbacks/)).includes('reeve_rollbacks_total{result="done"} 1'),
  )
  const info = `reeve_revision_info{commit="${bad}",outcome="RolledBack"} 1`
  await eventually('the outcome to be told', async () =>
    (await readMetrics(port, /^reeve_revision_info/)).includes(info),
  )
  expect(
    await readMetrics(
      port,
      /^reeve_(?:revisions_total.* [1-9]|revision_info|revision_commit_to_healthy_seconds_count)/,
    ),
  ).toEqual([
    `reeve_revision_info{commit="${good}",outcome=""} 1`,
    info,
    'reeve_revisions_total{outcome="Healthy"} 1',
    'reeve_revisions_total{outcome="RolledBack"} 1',
    'reeve_revision_commit_to_healthy_seconds_count 1',
  ])
})
