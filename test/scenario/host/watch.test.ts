import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
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

/** Repeats the change until a hint comes, as nothing tells when a watch is armed. */
async function untilHinted(name: string): Promise<void> {
  let count = 0
  await eventually(`a hint of ${name}`, () => {
    count += 1
    writeFileSync(join(directory, name), String(count))
    return hints.includes(name)
  })
}

test('a file that appears in the directory causes a hint with its name', async () => {
  mkdirSync(directory)
  startWatch()
  writeFileSync(join(directory, 'web'), '')
  await eventually('a hint of it', () => hints.includes('web'))
})

test('PITFALLS 6: a directory that is created later, with its parents, is watched from then on', async () => {
  directory = join(root, 'a', 'b', 'services')
  startWatch()
  mkdirSync(directory, { recursive: true })
  await eventually('a hint of all', () => hints.includes(undefined))
  await untilHinted('web')
})

test('PITFALLS 6: a directory that is removed and created again is watched again', async () => {
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

test('PITFALLS 4: the target of a symlink is watched, also after a swap', async () => {
  mkdirSync(join(root, 'one'))
  mkdirSync(join(root, 'two'))
  symlinkSync('one', directory)
  startWatch()
  await untilHinted('before')
  symlinkSync('two', join(root, 'next'))
  renameSync(join(root, 'next'), directory)
  await eventually('a hint of all', () => hints.includes(undefined))
  await untilHinted('after')
})

test('PITFALLS 6: if the kernel gives no watch, changes are found by polling', async () => {
  mkdirSync(directory)
  const refuse = (): never => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  startWatch(refuse)
  writeFileSync(join(directory, 'web'), '')
  await eventually('one hint', () => hints.length === 1)
  writeFileSync(join(directory, 'web'), 'more')
  await eventually('two hints', () => hints.length === 2)
})

test('a disposed watch gives no more hints', async () => {
  mkdirSync(directory)
  const stopped: (string | undefined)[] = []
  watchDirectory(directory, name => stopped.push(name))[Symbol.dispose]()
  // Armed later: what this one notices, the other would have noticed before.
  startWatch()
  writeFileSync(join(directory, 'web'), '')
  await eventually('a hint of it', () => hints.includes('web'))
  expect(stopped).toEqual([])
})
