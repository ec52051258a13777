import { expect, test } from 'vitest'
import { changeMark } from '../../src/engine/direct-control.ts'

test('a suspension that can not be written down is refused, and does not hold', () => {
  const full = (): never => {
    throw new Error('no space left on the device')
  }
  const marks = new Set(['db'])
  expect(() => changeMark(marks, 'web', true, full)).toThrow('no space left')
  expect(() => changeMark(marks, 'db', false, full)).toThrow('no space left')
  expect([...marks]).toEqual(['db'])
})

test('a suspension is written down as it then is', () => {
  const marks = new Set(['db'])
  const written: string[][] = []
  const write = (names: ReadonlySet<string>): void => void written.push([...names])
  expect(changeMark(marks, 'web', true, write).changed).toBe(true)
  expect(changeMark(marks, 'web', true, write).changed).toBe(false)
  expect(changeMark(marks, 'db', false, write).changed).toBe(true)
  expect([...marks]).toEqual(['web'])
  expect(written).toEqual([['db', 'web'], ['web']])
})
