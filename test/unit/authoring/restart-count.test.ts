import { expect, test } from 'vitest'
import { countRestarts } from '../../../src/authoring/restart-count.ts'

const good = 20_000
test.each([
  ['its first run', [0], { now: 500, isUp: true }, [0, 0]],
  ['the first run has ended at once', [0], { now: 500, isUp: false }, [1, 1]],
  ['the second run after a bad one', [0, 1_000], { now: 1_500, isUp: true }, [1, 1]],
  ['the second run has lasted', [0, 1_000], { now: 1_000 + good, isUp: true }, [0, 1]],
  ['three bad runs, and it waits', [0, 1_000, 2_000], { now: 2_500, isUp: false }, [3, 3]],
  ['a good run between bad ones', [0, 1_000, 1_000 + good], { now: 1_500 + good, isUp: true }, [1, 2]],
  ['no start is noted yet', [], { now: 500, isUp: false }, [0, 0]],
] as const)('%s', (_name, starts, look, [restarts, totalRestarts]) => {
  expect(countRestarts(starts, look)).toEqual({ restarts, totalRestarts })
})
