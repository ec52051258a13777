import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type OpenWatcher, watchDirectory } from '../../../src/host/watching.ts'

let root = ''
let directory = ''
let hints: (string | undefined)[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'reeve-watch-'))
  directory = join(root, 'services')
  hints = []
})
afterEach(() => rmSync(root, { recursive: true }))

function startWatch(openWatcher?: OpenWatcher): void {
  const watching = watchDirectory(directory, name => hints.push(name), openWatcher)
  onTestFinished(() => watching[Symbol.dispose]())
}

/** Does something there until a hint of it comes: a watch is armed again at a moment that nothing tells. */
async function untilHinted(name: string): Promise<void> {
  let count = 0
  await vi.waitFor(
    () => {
      count += 1
      writeFileSync(join(directory, name), String(count))
      expect(hints).toContain(name)
    },
    { timeout: 10_000, interval: 20 },
  )
}

test('a file that comes into the directory is a hint, by its name', async () => {
  mkdirSync(directory)
  startWatch()
  writeFileSync(join(directory, 'web'), '')
  await vi.waitUntil(() => hints.includes('web'))
})

test('PITFALLS 6: a directory that comes later, with its parents, is watched from then on', async () => {
  directory = join(root, 'a', 'b', 'services')
  startWatch()
  mkdirSync(directory, { recursive: true })
  await vi.waitUntil(() => hints.includes(undefined))
  await untilHinted('web')
})

test('PITFALLS 6: a directory that is removed and made again is watched again', async () => {
  mkdirSync(directory)
  startWatch()
  rmdirSync(directory)
  mkdirSync(directory)
  await untilHinted('web')
})

test('PITFALLS 6: a directory that another is renamed over is watched again', async () => {
  mkdirSync(directory)
  startWatch()
  renameSync(directory, join(root, 'old'))
  mkdirSync(join(root, 'new'))
  renameSync(join(root, 'new'), directory)
  await untilHinted('web')
})

test('PITFALLS 4: where a symlink leads is watched, also after the link was swapped', async () => {
  mkdirSync(join(root, 'one'))
  mkdirSync(join(root, 'two'))
  symlinkSync('one', directory)
  startWatch()
  await untilHinted('before')
  symlinkSync('two', join(root, 'next'))
  renameSync(join(root, 'next'), directory)
  await vi.waitUntil(() => hints.includes(undefined), { timeout: 10_000 })
  await untilHinted('after')
})

test('PITFALLS 6: where the kernel gives no watch, changes are found by looking', async () => {
  mkdirSync(directory)
  const refuse = (): never => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  startWatch(refuse)
  writeFileSync(join(directory, 'web'), '')
  await vi.waitUntil(() => hints.length === 1, { timeout: 10_000 })
  writeFileSync(join(directory, 'web'), 'more')
  await vi.waitUntil(() => hints.length === 2, { timeout: 10_000 })
})

test('a watch that is disposed of gives no more hints', async () => {
  mkdirSync(directory)
  const stopped: (string | undefined)[] = []
  watchDirectory(directory, name => stopped.push(name))[Symbol.dispose]()
  // Armed later: what it hears of, the other would have heard of before.
  startWatch()
  writeFileSync(join(directory, 'web'), '')
  await vi.waitUntil(() => hints.includes('web'))
  expect(stopped).toEqual([])
})
