import { expect, test } from 'vitest'
import { changeMark } from '../../../../src/engine/session/suspension.ts'

function mark(name: string, suspended: boolean) {
  return { name, suspended, byManifest: false }
}

test('a suspension that cannot be recorded is refused and has no effect', () => {
  const full = (): never => {
    throw new Error('no space left on the device')
  }
  const marks = new Set(['db'])
  expect(() => changeMark(marks, mark('web', true), full)).toThrow('no space left')
  expect(() => changeMark(marks, mark('db', false), full)).toThrow('no space left')
  expect([...marks]).toEqual(['db'])
})

test('a suspension is recorded with its current state', () => {
  const marks = new Set(['db'])
  const written: string[][] = []
  const write = (names: ReadonlySet<string>): void => void written.push([...names])
  expect(changeMark(marks, mark('web', true), write).changed).toBe(true)
  expect(changeMark(marks, mark('web', true), write).changed).toBe(false)
  expect(changeMark(marks, mark('db', false), write).changed).toBe(true)
  expect([...marks]).toEqual(['web'])
  expect(written).toEqual([['db', 'web'], ['web']])
})

test('resuming reports what happens next', () => {
  const say = (marks: string[], byManifest: boolean) =>
    changeMark(new Set(marks), { name: 'web', suspended: false, byManifest }, () => {})
  expect(say(['web'], false)).toEqual({ changed: true, message: 'web is reconciled again' })
  expect(say([], false)).toEqual({ changed: false, message: 'web is not suspended' })
  for (const marks of [['web'], []]) {
    expect(say(marks, true).message).toBe('web stays suspended, as its manifest says suspend: true')
  }
})
