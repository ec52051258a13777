import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createProcessSign } from '../../../src/host/process-sign.ts'

const nameOf = (): string => readFileSync('/proc/self/comm', 'utf8').trimEnd()

test('a process gets its name back once its sign is cleared', () => {
  const before = nameOf()
  const show = createProcessSign('reeve-test-sign')
  show(false)
  expect(nameOf()).toBe(before)
  for (const shown of [true, true]) {
    show(shown)
    expect(nameOf()).toBe('reeve-test-sign')
  }
  show(false)
  expect(nameOf()).toBe(before)
  show(true)
  show(false)
  expect(nameOf()).toBe(before)
})
