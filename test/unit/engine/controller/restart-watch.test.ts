import { expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { createRestartWatch } from '../../../../src/engine/controller/restart-watch.ts'

/** Messages of refreshes at one moment after the other. */
function createBench() {
  const watch = createRestartWatch()
  let now = 0
  return {
    ...watch,
    acted(name: string): void {
      now += 1
      watch.acted(name, now)
    },
    seen(name: string, observed: Observed): string | undefined {
      now += 1
      return watch.seen(name, observed, now)?.message
    },
  }
}

function running(pid: number, more: Partial<Observed> = {}): Observed {
  return { service: 'web', state: 'running', enabled: true, supervised: true, pid, ...more }
}

const killed = { exit: { signal: 'KILL' } } as const
const others = 'another process of it runs, which Reeve has not started'
const again = 'its process was killed by signal KILL, and its supervisor has started it again'

test('a restart by the supervisor is reported once, with how the process ended', () => {
  const watch = createBench()
  expect(watch.seen('web', running(1, { totalRestarts: 3 }))).toBeUndefined()
  expect(watch.seen('web', running(2, { totalRestarts: 4, restarts: 1, ...killed }))).toBe(again)
  expect(watch.seen('web', running(2, { totalRestarts: 4, restarts: 1, ...killed }))).toBeUndefined()
  expect(watch.seen('web', running(2))).toBeUndefined()
  expect(watch.seen('web', running(3, { totalRestarts: 5, restarts: 1, ...killed }))).toBe(again)
})

test('a pending restart is reported when first seen, and not again when the service runs', () => {
  const watch = createBench()
  watch.seen('web', running(1, { totalRestarts: 0 }))
  const { pid: _, ...waits } = running(1, { state: 'starting', totalRestarts: 1, restarts: 1, exit: { code: 3 } })
  expect(watch.seen('web', waits)).toBe('its process exited with code 3; its supervisor starts it again')
  expect(watch.seen('web', running(2, { totalRestarts: 1, restarts: 1, exit: { code: 3 } }))).toBeUndefined()
})

test('PITFALLS 15: of a series of failures only the first is reported', () => {
  const watch = createBench()
  watch.seen('web', running(1, { totalRestarts: 0 }))
  const told = [1, 2, 3, 4].map(count => {
    return watch.seen('web', running(1 + count, { totalRestarts: count, restarts: count, ...killed }))
  })
  expect(told).toEqual([again, undefined, undefined, undefined])
})

test('a step of Reeve is no restart, and an end after it is', () => {
  const watch = createBench()
  watch.seen('web', running(1, { totalRestarts: 2 }))
  watch.acted('web')
  expect(watch.seen('web', running(2, { totalRestarts: 0, exit: { signal: 'TERM' } }))).toBeUndefined()
  watch.acted('web')
  expect(watch.seen('web', running(4, { totalRestarts: 1, restarts: 1, ...killed }))).toBe(again)
})

test('a restart by somebody else is reported, even if the supervisor counts none', () => {
  const counting = createBench()
  counting.seen('web', running(1, { totalRestarts: 2 }))
  expect(counting.seen('web', running(2, { totalRestarts: 0 }))).toBe(others)
  const plain = createBench()
  plain.seen('web', running(1))
  expect(plain.seen('web', running(1))).toBeUndefined()
  expect(plain.seen('web', running(2))).toBe(others)
})

test('a removed service is forgotten', () => {
  const watch = createBench()
  watch.seen('web', running(1, { totalRestarts: 0 }))
  watch.keep(new Set())
  expect(watch.seen('web', running(2, { totalRestarts: 9 }))).toBeUndefined()
})

test('an observation from before a step of Reeve reports nothing after it', () => {
  const watch = createRestartWatch()
  watch.seen('web', running(1, { totalRestarts: 0 }), 1)
  watch.acted('web', 5)
  expect(watch.seen('web', running(1, { totalRestarts: 0 }), 4)).toBeUndefined()
  expect(watch.seen('web', running(2, { totalRestarts: 0 }), 6)).toBeUndefined()
})

test('a restart count of a run that is already known is no restart', () => {
  const watch = createBench()
  watch.seen('web', running(1))
  expect(watch.seen('web', running(1, { totalRestarts: 5 }))).toBeUndefined()
})
