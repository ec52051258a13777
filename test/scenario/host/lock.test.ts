import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { acquireLock, findHolder } from '../../../src/host/lock.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { type BundledProgram, bundleProgram } from '../../tools/bundled-program.ts'

const host = createWriteHost()

let contender: BundledProgram
let holder: BundledProgram
beforeAll(async () => {
  contender = await bundleProgram(new URL('../children/lock-contender.ts', import.meta.url))
  holder = await bundleProgram(new URL('../children/lock-holder.ts', import.meta.url))
})
afterAll(() => {
  contender[Symbol.dispose]()
  holder[Symbol.dispose]()
})

let root = ''
let directory = ''
const children: ChildProcess[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'reeve-lock-'))
  directory = join(root, 'lock')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(root, { recursive: true })
})

async function startHolder(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [holder.path, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

test('E15: of many processes only one holds the lock, and one that dies frees it', async () => {
  const log = join(root, 'log')
  const exits = Array.from({ length: 8 }, (_, index) => {
    const args = [contender.path, directory, log, '12', index % 2 === 0 ? 'die' : 'release']
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    children.push(child)
    return once(child, 'exit')
  })
  const ends = await Promise.all(exits)
  expect(ends.map(([code, signal]) => code ?? signal).sort()).toEqual([0, 0, 0, 0, ...Array(4).fill('SIGKILL')])

  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const entries = lines.filter(line => !line.startsWith('refused'))
  expect(entries).toHaveLength(8 * 12 * 2)
  for (let index = 0; index < entries.length; index += 2) {
    expect(entries[index + 1]).toBe(entries[index]?.replace('in', 'out'))
  }
  // Without contention nothing has been tested.
  expect(lines.length).toBeGreaterThan(entries.length)
})

test('E15: the second process is told who holds the lock, and what to do', async () => {
  const child = await startHolder()
  await expect(acquireLock(directory, 'reeve apply', host)).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringMatching(
      new RegExp(
        `another Reeve \\(pid ${child.pid}, \`reeve run\`\\) has held \\S+ since 20\\S+Z; wait for it to end, stop it, or`,
      ),
    ),
  })
  expect(findHolder(directory, createReadHost())).toMatchObject({ pid: child.pid, command: 'reeve run' })
  expect(readdirSync(directory)).toHaveLength(1)
})

test('E15: SIGKILL of the holder frees the lock', async () => {
  const child = await startHolder()
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(findHolder(directory, host)).toBeUndefined()
  using lock = await acquireLock(directory, 'reeve apply', host)
  expect(findHolder(directory, host)).toEqual(lock.holder)
  expect(readdirSync(directory)).toHaveLength(1)
})

test('E15: a zombie holds no lock', async () => {
  // Its parent, the sleep that the shell becomes, never asks how it ended.
  const script = '"$0" "$1" "$2" & exec sleep 60'
  const parent = spawn('sh', ['-c', script, process.execPath, holder.path, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(parent)
  await once(parent.stdout, 'data')
  const pid = findHolder(directory, host)?.pid ?? 0
  process.kill(pid, 'SIGKILL')
  await eventually('it to be a zombie', () => host.process(pid)?.state === 'Z')
  expect(findHolder(directory, host)).toBeUndefined()
  using lock = await acquireLock(directory, 'reeve apply', host)
  expect(lock.holder.pid).toBe(process.pid)
})

test('E15: neither a recycled pid nor an earlier boot holds a lock, and their claims are cleaned up', async () => {
  mkdirSync(directory)
  const lock = await acquireLock(directory, 'reeve apply', host)
  const [own = ''] = readdirSync(directory)
  const claim = readFileSync(join(directory, own))
  lock.release()
  const [pid, startTime, boot] = own.replace('.json', '').split('-')
  const stale = [
    `${pid}-${Number(startTime) - 1}-${boot}.json`,
    `${pid}-${startTime}-00000000.json`,
    `4194305-1-${boot}.json`,
  ]
  for (const name of stale) writeFileSync(join(directory, name), claim)
  expect(findHolder(directory, host)).toBeUndefined()
  const again = await acquireLock(directory, 'reeve apply', host)
  expect(readdirSync(directory)).toEqual([own])
  again.release()
  again.release()
  expect(readdirSync(directory)).toEqual([])
})

test('E15: the same process gets it once', async () => {
  {
    using _lock = await acquireLock(directory, 'reeve run', host)
    await expect(acquireLock(directory, 'reeve apply', host)).rejects.toMatchObject({ code: 'locked' })
  }
  using again = await acquireLock(directory, 'reeve apply', host)
  expect(again.holder.command).toBe('reeve apply')
})

test('E15: of two simultaneous attempts in one process, one gets it', async () => {
  const attempts = await Promise.allSettled([1, 2, 3].map(() => acquireLock(directory, 'reeve run', host)))
  expect(attempts.map(attempt => attempt.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
})
