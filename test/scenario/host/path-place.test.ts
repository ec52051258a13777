import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createPlaceFinder } from '../../../src/host/path-place.ts'
import { createReadHost } from '../../../src/host/read-host.ts'

const isRoot = process.getuid?.() === 0

function createRoom() {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-place-'))
  const path = (...names: string[]): string => join(directory, ...names)
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) }
}

test('a path is resolved through links to any depth', () => {
  using room = createRoom()
  mkdirSync(room.path('a', 'b'), { recursive: true })
  symlinkSync('a', room.path('l'))
  symlinkSync('../l/b', room.path('a', 'm'))
  symlinkSync(room.path('l', 'm'), room.path('n'))
  const finder = createPlaceFinder(createReadHost())
  for (const path of [room.path('a', 'b'), room.path('l', 'b'), room.path('n'), room.path('l', 'm')]) {
    expect(finder.entry(join(path, 'x'))).toBe(room.path('a', 'b', 'x'))
    expect(finder.directory(path)).toBe(room.path('a', 'b'))
  }
  // A link in place of the file itself is overwritten.
  expect(finder.entry(room.path('n'))).toBe(room.path('n'))
})

test('a missing path is placed in the deepest existing directory', () => {
  using room = createRoom()
  mkdirSync(room.path('a'))
  symlinkSync('a', room.path('l'))
  symlinkSync('later', room.path('dangling'))
  const finder = createPlaceFinder(createReadHost())
  expect(finder.entry(room.path('l', 'b', 'c', 'x'))).toBe(room.path('a', 'b', 'c', 'x'))
  expect(finder.entry(room.path('dangling', 'x'))).toBe(room.path('later', 'x'))
})

test('circular links, and components that are no directory, are taken literally', () => {
  using room = createRoom()
  symlinkSync('two', room.path('one'))
  symlinkSync('one', room.path('two'))
  const finder = createPlaceFinder(createReadHost())
  expect(finder.entry(room.path('one', 'x')).endsWith('/x')).toBe(true)
  expect(finder.entry('/proc/self/stat/x')).toContain('/stat/x')
})

test.runIf(isRoot)('a link that a service’s user may have created is not followed', () => {
  using room = createRoom()
  mkdirSync(room.path('etc'))
  mkdirSync(room.path('home'))
  chownSync(room.path('home'), 1000, 1000)
  symlinkSync(room.path('etc'), room.path('home', 'app'))
  const finder = createPlaceFinder(createReadHost())
  expect(finder.entry(room.path('home', 'app', 'x'))).toBe(room.path('home', 'app', 'x'))
})
