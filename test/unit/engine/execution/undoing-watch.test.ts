import { expect, test } from 'vitest'
import type { Step } from '../../../../src/core/plan/step.ts'
import { createUndoingWatch, describeUndoing } from '../../../../src/engine/execution/undoing-watch.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

const start = (facility: string, reason: Step['reason'] = 'stopped'): Step => ({
  id: `${facility}/start`,
  verb: 'start',
  reason,
  needs: [],
})

function createBench() {
  const clock = createManualClock()
  const watch = createUndoingWatch(clock)
  const at = { supervisor: 'lab', service: 'web' }
  return {
    clock,
    watch,
    /** Executes its steps, half a second each, all of them successful. */
    async act(facility: string, steps: readonly Step[] = [start(facility)], digest = 'one') {
      for (const step of steps) {
        watch.noted({ type: 'step-started', facility, step, at })
        await clock.advance(500)
        watch.noted({ type: 'step-finished', facility, step, at, result: 'done', duration: 500 })
      }
      watch.settled(facility, digest)
    },
    /** Observation that finds the service stopped since that moment, in wall-clock time. */
    look: (facility: string, since?: number, step = start(facility), digest = 'one') =>
      watch.seen(facility, digest, [step], { began: clock.elapsed(), ...(since !== undefined && { since }) }),
  }
}

test('a step that was done and is due again was undone, which is reported once', async () => {
  const { act, look, watch, clock } = createBench()
  expect(look('web')).toBeUndefined() // no step was done yet
  await act('web')
  expect(watch.seen('web', 'one', [], { began: clock.elapsed() })).toBeUndefined()
  await clock.advance(60_000)
  expect(look('web', clock.now())).toEqual({ effect: 'up', suspects: [] })
  expect(look('web', clock.now())).toBeUndefined()
})

test.each<[why: string, step: Step, digest: string]>([
  ['the service failed', start('web', 'failed'), 'one'],
  ['the health check fails', { ...start('web', 'unhealthy'), verb: 'restart' }, 'one'],
  ['the service is unsupervised', start('web', 'unsupervised'), 'one'],
  ['another manifest', start('web'), 'two'],
  ['another step is due', { ...start('web'), verb: 'enable' }, 'one'],
  ['the step is on the old side of a move', { ...start('web'), target: { supervisor: 'x', service: 'web' } }, 'one'],
])('nothing was undone if %s', async (_why, step, digest) => {
  const { act, look } = createBench()
  await act('web')
  expect(look('web', undefined, step, digest)).toBeUndefined()
})

test('a service killed by SIGKILL or SIGTERM was undone, one that crashed was not', async () => {
  for (const [signal, effect] of [
    ['KILL', 'up'],
    ['TERM', 'up'],
    ['SEGV', undefined],
    ['ABRT', undefined],
  ] as const) {
    const { act, clock, watch } = createBench()
    await act('web')
    const look = { began: clock.elapsed(), exit: { signal } }
    expect(watch.seen('web', 'one', [start('web', 'failed')], look)?.effect).toBe(effect)
  }
})

test('a step that fails while another facility is acted on may have been undone; without that, it was not', async () => {
  for (const isDisturbed of [true, false]) {
    const { act, clock, watch } = createBench()
    const step = start('web')
    const base = { facility: 'web', step, at: { supervisor: 'lab', service: 'web' } }
    watch.noted({ type: 'step-started', ...base })
    if (isDisturbed) await act('db')
    await clock.advance(500)
    watch.noted({ type: 'step-finished', ...base, result: 'failed', duration: 500 })
    watch.settled('web', 'one')
    const undone = watch.seen('web', 'one', [step], { began: clock.elapsed() })
    expect(undone).toEqual(isDisturbed ? { effect: 'up', suspects: ['db'], isAttempt: true } : undefined)
  }
})

test('suspects are the facilities with a step at that moment, or with any step since if the moment is unknown', async () => {
  const { act, look, clock } = createBench()
  await act('web')
  await clock.advance(10_000)
  const moment = clock.now() + 200
  await act('db')
  await clock.advance(10_000)
  await act('late')
  expect(look('web', moment)).toEqual({ effect: 'up', suspects: ['db'] })
  await act('web')
  await act('db')
  expect(look('web')?.suspects).toEqual(['db', 'late'])
})

test('suspects are facilities acted on since the last observation as declared', async () => {
  const { act, look, clock, watch } = createBench()
  await act('web')
  await act('db')
  await clock.advance(60_000)
  watch.seen('web', 'one', [], { began: clock.elapsed() })
  await act('late')
  expect(look('web')?.suspects).toEqual(['late'])
})

test('a facility that was as declared before any step, and is not any more, was undone', async () => {
  const { act, look, clock, watch } = createBench()
  watch.seen('web', 'one', [], { began: clock.elapsed() })
  await clock.advance(1_000)
  const moment = clock.now() + 250
  await act('db')
  expect(look('web', moment)).toEqual({ effect: 'up', suspects: ['db'] })
})

test('a long step makes its facility a suspect all the while', async () => {
  const { act, look, clock, watch } = createBench()
  await act('web')
  watch.noted({
    type: 'step-started',
    facility: 'slow',
    step: start('slow'),
    at: { supervisor: 'lab', service: 'slow' },
  })
  await clock.advance(60_000)
  expect(look('web', clock.now() - 1_000)?.suspects).toEqual(['slow'])
})

test('E21: two facilities that undo each other form a circle, without a third that acts at other times', async () => {
  const { act, look, clock, watch } = createBench()
  await act('a')
  for (let round = 0; round < 4; round += 1) {
    const first = clock.now() + 250
    await act('b') // stops a
    look('a', first)
    await clock.advance(5_000)
    await act('other')
    await clock.advance(5_000)
    const second = clock.now() + 250
    await act('a') // stops b
    look('b', second)
    await clock.advance(5_000)
    expect(watch.circleOf('a')).toEqual(round < 2 ? [] : ['a', 'b'])
  }
  expect(watch.circleOf('b')).toEqual(['a', 'b'])
  expect(watch.circleOf('other')).toEqual([])
  watch.forget('a')
  expect(watch.circleOf('b')).toEqual([])
})

test('E21: three facilities of which each undoes the next form a circle', async () => {
  const { act, look, clock, watch } = createBench()
  const names = ['a', 'b', 'c']
  for (const name of names) await act(name)
  await clock.advance(10_000)
  for (let turn = 0; turn < 12; turn += 1) {
    const [name = '', next = ''] = [names[turn % 3], names[(turn + 1) % 3]]
    const moment = clock.now() + 250
    await act(name)
    look(next, moment)
    await clock.advance(10_000)
  }
  for (const name of names) expect(watch.circleOf(name)).toEqual(names)
})

test('a facility that undoes another one, without being undone by it, is no circle', async () => {
  const { act, look, clock, watch } = createBench()
  for (let round = 0; round < 3; round += 1) {
    await act('web')
    await clock.advance(10_000)
    const moment = clock.now() + 250
    await act('db')
    look('web', moment)
  }
  expect(watch.circleOf('web')).toEqual([])
  expect(watch.often('web')).toMatchObject({ effect: 'up', suspects: ['db'], count: 3 })
})

test('often means three times in an hour', async () => {
  const { act, look, clock, watch } = createBench()
  for (let round = 0; round < 4; round += 1) {
    await act('web')
    await clock.advance(60_000)
    look('web', clock.now())
    expect(watch.often('web')?.count).toBe(round < 2 ? undefined : round + 1)
  }
  await clock.advance(3_500_000)
  expect(watch.often('web')).toBeUndefined()
})

test('messages are these', () => {
  const many = ['a', 'b', 'c', 'd']
  expect([
    describeUndoing({ effect: 'up', suspects: [] }),
    describeUndoing({ effect: 'down', suspects: ['db'] }),
    describeUndoing({ effect: 'file /etc/x', suspects: ['a', 'b'] }),
    describeUndoing({ effect: 'enabled', suspects: many }),
    describeUndoing({ effect: 'definition', suspects: [] }),
  ]).toMatchInlineSnapshot(`
    [
      "it is stopped again, by something other than Reeve or by itself",
      "it is started again, most likely by what was done about facility db",
      "file /etc/x is changed again, perhaps by what was done about one of the facilities a, b",
      "it is disabled again, perhaps by what was done about one of 4 others",
      "its definition is changed again, by something other than Reeve or by itself",
    ]
  `)
})

test('facilities whose writes fail at the same time, as on a full disk, do not undo each other', async () => {
  const { clock, watch } = createBench()
  const at = { supervisor: 'lab', service: 'web' }
  const install = (facility: string): Step => ({
    id: `${facility}/install`,
    verb: 'install',
    reason: 'definition-changed',
    needs: [],
  })
  const names = ['a', 'b']
  for (let time = 0; time < 4; time += 1) {
    for (const facility of names) watch.noted({ type: 'step-started', facility, step: install(facility), at })
    await clock.advance(100)
    for (const facility of names) {
      watch.noted({ type: 'step-finished', facility, step: install(facility), at, result: 'failed', duration: 100 })
      watch.settled(facility, 'one')
    }
    for (const name of names)
      expect(watch.seen(name, 'one', [install(name)], { began: clock.elapsed() })).toBeUndefined()
  }
  for (const name of names) expect([watch.often(name), watch.circleOf(name)]).toEqual([undefined, []])
})
