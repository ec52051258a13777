import { expect, test } from 'vitest'
import { createCoalescer } from '../../../../../providers/systemd/apply/coalesce.ts'
import { createManualClock } from '../../../../tools/manual-clock.ts'

interface Stage {
  readonly clock: ReturnType<typeof createManualClock>
  /** Items that were processed together. */
  readonly done: (readonly string[])[]
  add(name: string): Promise<void>
}

/** `expected`: number of items to come; each act takes `duration` ms. */
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

test('an item that nothing follows is processed at once', async () => {
  const { clock, done, add } = stage(1)
  const adding = add('a')
  await clock.advance(0)
  await adding
  expect(done).toEqual([['a']])
})

test('the first item waits a while for the expected ones, and all are processed together', async () => {
  const { clock, done, add } = stage(3)
  const adding = [add('a')]
  await clock.advance(50)
  expect(done).toEqual([])
  adding.push(add('b'), add('c'))
  await clock.advance(10)
  await Promise.all(adding)
  expect(done).toEqual([['a', 'b', 'c']])
})

test('E5: a slow item is not waited for indefinitely', async () => {
  const { clock, done, add } = stage(2)
  const adding = add('a')
  await clock.advance(100)
  await adding
  expect(done).toEqual([['a']])
})

test('a slow act is repeated more rarely while more items are expected', async () => {
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

test('a failure is reported to its own items, and later items go on', async () => {
  const { clock, done, add } = stage(1)
  const failing = expect(add('bad')).rejects.toThrow('it failed')
  await clock.advance(0)
  await failing
  const adding = add('a')
  await clock.advance(0)
  await adding
  expect(done).toEqual([['bad'], ['a']])
})
