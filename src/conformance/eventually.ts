import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

type Found<T> = Exclude<T, undefined | null | false | 0 | ''>

function isFound<T>(value: T): value is Found<T> {
  return Boolean(value)
}

/** Waits until `probe` returns a truthy value, and returns it; fails with `what` otherwise. */
export async function eventually<T>(
  what: string | (() => string),
  probe: () => T | Promise<T>,
  timeout = 60_000,
): Promise<Found<T>> {
  const deadline = Date.now() + timeout
  for (;;) {
    const value = await probe()
    if (isFound(value)) return value
    if (Date.now() > deadline) {
      assert.fail(`waited ${timeout} ms in vain for: ${typeof what === 'string' ? what : what()}`)
    }
    await sleep(20)
  }
}
