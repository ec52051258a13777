import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eachAction } from '../../../src/authoring/each-action.ts'
import { endGroup } from '../../../src/authoring/process-group.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { ActionResult } from '../../../src/core/contracts/provider.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

const clock = createClock()
const kills: string[] = []
const host = createWriteHost({ onEffect: ({ kind, target }) => kind === 'kill' && kills.push(target) })
let directory = ''
beforeEach(() => {
  kills.length = 0
  directory = mkdtempSync(join(tmpdir(), 'reeve-group-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** Runs a shell script as the leader of a group, and waits until it has written its children's pids to `$1`. */
async function start(script: string): Promise<{ readonly pid: number; readonly children: readonly number[] }> {
  const file = join(directory, 'children')
  const { pid } = host.spawn(['/bin/sh', '-c', script, 'sh', file], { environment: { PATH: '/usr/bin:/bin' } })
  await eventually('its children to run', () => host.readText(file)?.endsWith('\n'))
  return { pid, children: readFileSync(file, 'utf8').trim().split(' ').map(Number) }
}

function isAlive(pid: number): boolean {
  const state = host.process(pid)?.state
  return state !== undefined && state !== 'Z'
}

/** Ends the group as an action that is aborted by `signal`. */
async function end(pid: number, timeout: number, signal = new AbortController().signal): Promise<ActionResult[]> {
  const results: ActionResult[] = []
  const apply = eachAction(task => endGroup({ pid, group: pid }, task, { host, clock, timeout }), { clock })
  await apply([{ id: 'web/stop', verb: 'stop', service: 'web', signal }], result => results.push(result))
  return results
}

test('the whole group gets the signal, and is over when the last of it is', async () => {
  const { pid, children } = await start(
    `(trap 'sleep 0.3; exit' TERM; while :; do sleep 0.05; done) & echo $! > $1; wait`,
  )
  expect(await end(pid, 10_000)).toEqual([{ id: 'web/stop', ok: true }])
  expect([pid, ...children].map(isAlive)).toEqual([false, false])
})

test('who outlives the main process gets KILL after the timeout', async () => {
  const { pid, children } = await start(`(trap '' TERM; while :; do sleep 0.05; done) & echo $! > $1; wait`)
  expect(await end(pid, 200)).toEqual([{ id: 'web/stop', ok: true }])
  expect([pid, ...children].map(isAlive)).toEqual([false, false])
})

test('an end that is not wanted any more is given up, and kills nobody', async () => {
  const { pid } = await start(`trap '' TERM; echo $$ > $1; while :; do sleep 0.05; done`)
  const controller = new AbortController()
  clock.after(100, () => controller.abort(new Error('not wanted')))
  try {
    expect(await end(pid, 60_000, controller.signal)).toMatchObject([{ ok: false, error: { code: 'aborted' } }])
    expect(isAlive(pid)).toBe(true)
  } finally {
    host.kill(-pid, 'KILL')
  }
})

test('the end of a run that is over sends no signal', async () => {
  const { pid } = await start('echo $$ > $1')
  await eventually('it to be over', () => !isAlive(pid))
  expect(await end(pid, 1_000)).toEqual([{ id: 'web/stop', ok: true }])
  expect(kills).toEqual([])
})
