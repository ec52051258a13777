import { expect, test } from 'vitest'
import { createCoalescer } from '../../../../../providers/systemd/apply/coalesce.ts'
import { createManualClock } from '../../../../tools/manual-clock.ts'

interface Stage {
  readonly clock: ReturnType<typeof createManualClock>
  /** What was done together. */
  readonly done: (readonly string[])[]
  add(name: string): Promise<void>
}

/** `expected`: so many come in all, and each act takes `duration` ms. */
function stage(expected: number, duration = 0): Stage {
  const clock = createManualClock()
  const done: (readonly string[])[] = []
  let left = expected
  const gathering = createCoalescer<string>(
    async items => {
      await clock.sleep(duration)
      left -= items.length
      done.push(items)
      if (items.includes('bad')) throw new Error('it failed')
    },
    waiting => left > waiting,
    clock,
  )
  return { clock, done, add: name => gathering.add(name) }
}

test('one that nobody follows is done at once', async () => {
  const { clock, done, add } = stage(1)
  const adding = add('a')
  await clock.advance(0)
  await adding
  expect(done).toEqual([['a']])
})

test('the first waits a while for those who are expected, and all go together', async () => {
  const { clock, done, add } = stage(3)
  const adding = [add('a')]
  await clock.advance(50)
  expect(done).toEqual([])
  adding.push(add('b'), add('c'))
  await clock.advance(10)
  await Promise.all(adding)
  expect(done).toEqual([['a', 'b', 'c']])
})

test('E5: nobody waits for ever for one that is slow', async () => {
  const { clock, done, add } = stage(2)
  const adding = add('a')
  await clock.advance(100)
  await adding
  expect(done).toEqual([['a']])
})

test('what takes long is done the more rarely, while others are expected', async () => {
  const { clock, done, add } = stage(100, 1_000)
  const adding = [add('a')]
  await clock.advance(100 + 1_000)
  adding.push(add('b'))
  await clock.advance(3_900)
  adding.push(add('c'))
  expect(done).toEqual([['a']])
  await clock.advance(100 + 1_000)
  await Promise.all(adding)
  expect(done).toEqual([['a'], ['b', 'c']])
})

test('a failure is told to those whom it was for, and the next go on', async () => {
  const { clock, done, add } = stage(1)
  const failing = expect(add('bad')).rejects.toThrow('it failed')
  await clock.advance(0)
  await failing
  const adding = add('a')
  await clock.advance(0)
  await adding
  expect(done).toEqual([['bad'], ['a']])
})
