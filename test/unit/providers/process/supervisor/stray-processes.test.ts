import { expect, test } from 'vitest'
import { findMarked } from '../../../../../providers/process/supervisor/stray-processes.ts'
import type { ProcessFacts, ReadHost } from '../../../../../src/core/contracts/host.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'

const script = '/run/web~1.sh'

interface Shown extends Partial<ProcessFacts> {
  readonly pid: number
  readonly environ?: string
  /** Absent: that of a program. */
  readonly cmdline?: string
}

/** Processes change with each listing: the last of `listings` stays. */
function createHost(...listings: readonly (readonly Shown[])[]): ReadHost & { readonly count: () => number } {
  let count = 0
  const current = (): readonly Shown[] => listings[Math.min(count, listings.length - 1)] ?? []
  const find = (pid: number): Shown | undefined => current().find(one => one.pid === pid)
  return {
    ...createReadHost(),
    count: () => count,
    processes() {
      const pids = current().map(({ pid }) => pid)
      count += 1
      return pids
    },
    process(pid) {
      const found = find(pid)
      const usual = { parent: 1, group: pid, session: pid, hasTerminal: false, state: 'S', startTime: '5100' }
      return found && { ...usual, ...found }
    },
    readText(path) {
      const [, , pid, file] = path.split('/')
      const found = find(Number(pid))
      return file === 'environ' ? found?.environ : found && (found.cmdline ?? 'sleep\0')
    },
  }
}

const marked = 'HOME=/\0REEVE_RUN=one\0'

test('a daemon that forks while the processes are listed is found by its child', () => {
  const host = createHost([{ pid: 10, environ: marked }], [{ pid: 11, environ: marked }])
  expect(findMarked(host, 'one', script)).toEqual({ pids: [11], isReadable: true })
})

test('the search ends though there are new processes in each listing', () => {
  const listings = Array.from({ length: 100 }, (_, index) => [{ pid: 10 + index, environ: '' }])
  const host = createHost(...listings)
  expect(findMarked(host, 'one', script).pids).toEqual([])
  expect(host.count()).toBeLessThan(10)
})

test('a process that is just executing a program may be marked', () => {
  const host = createHost([{ pid: 10, environ: '', cmdline: '' }])
  expect(findMarked(host, 'one', script)).toEqual({ pids: [], isReadable: false })
})

test('zombies, kernel threads and programs without an environment are not marked', () => {
  const empty = { environ: '', cmdline: '' }
  const host = createHost([
    { ...empty, pid: 10, state: 'Z' },
    { ...empty, pid: 11, group: 0 },
    { pid: 12, environ: '' },
  ])
  expect(findMarked(host, 'one', script)).toEqual({ pids: [], isReadable: true })
})

test("another run's processes, unreadable ones and the shim itself are left out", () => {
  const cmdline = `/bin/sh\0${script}\0`
  const host = createHost([{ pid: 10, environ: 'REEVE_RUN=two\0' }, { pid: 11 }, { pid: 12, environ: marked, cmdline }])
  expect(findMarked(host, 'one', script)).toEqual({ pids: [], isReadable: true })
})
