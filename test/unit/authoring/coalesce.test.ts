import { expect, test } from 'vitest'
import { coalesce, coalesceItems } from '../../../src/authoring/coalesce.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

test('a caller gets the first run that begins after its call, and its error; a failed run affects no later one', async () => {
  const runs: Run[] = []
  const run = coalesce(() => new Promise<void>((resolve, reject) => runs.push({ resolve, reject })))
  const first = run()
  await settle()
  const later = [run(), run()]
  await settle()
  expect(runs).toHaveLength(1)
  const failing = expect(first).rejects.toThrow('it failed')
  runs[0]?.reject(new Error('it failed'))
  await failing
  await settle()
  expect(runs).toHaveLength(2)
  runs[1]?.resolve()
  await Promise.all(later)
  expect(runs).toHaveLength(2)
})

interface Run {
  resolve(): void
  reject(error: Error): void
}

/** Lets everything run that waits for no run. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

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
  const add = coalesceItems<string>(
    async items => {
      await clock.sleep(duration)
      left -= items.length
      done.push(items)
      if (items.includes('bad')) throw new Error('it failed')
    },
    waiting => left > waiting,
    clock,
  )
  return { clock, done, add }
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
