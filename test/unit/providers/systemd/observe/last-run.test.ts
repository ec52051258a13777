import { expect, test } from 'vitest'
import type { LoadedUnit } from '../../../../../providers/systemd/bus/manager.ts'
import { parseMainExit } from '../../../../../providers/systemd/observe/exit-words.ts'
import { createLastRunReader, parseVerdict } from '../../../../../providers/systemd/observe/last-run.ts'
import type { Bus } from '../../../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../../../src/core/contracts/host.ts'
import { GOOD_RUN } from '../../../../../src/core/state/readiness.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'

const exited = 'job.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED\n'
const failed = "job.service: Failed with result 'exit-code'.\n"
const well = 'job.service: Deactivated successfully.\n'

test('the result of a run is the last one in the journal', () => {
  expect(parseVerdict(exited + failed)).toEqual({ message: 'it exited with code 3' })
  expect(parseVerdict(`${well}job.service: Failed with result 'timeout'.\n`)).toEqual({
    message: 'it took longer than its unit allows',
  })
  for (const text of ['', well, failed + well, exited]) expect(parseVerdict(text)).toBeUndefined()
})

test('the end of the main process is the last one in the journal', () => {
  expect(parseMainExit(`${exited}job.service: Main process exited, code=killed, status=9/KILL\n`)).toEqual({
    signal: 'KILL',
  })
  expect(parseMainExit('job.service: Main process exited, code=exited, status=203/EXEC')).toMatchObject({ code: 203 })
  expect(parseMainExit(well)).toBeUndefined()
})

const began = 1_700_000_000_000
const unit: LoadedUnit = { name: 'job.service', load: 'loaded', active: 'active', sub: 'running', path: '/job' }

/** systemd and its journal, as far as a running job is concerned. */
function lookAt(now: number, asked: string[][]) {
  const properties: Readonly<Record<string, unknown>> = { InactiveExitTimestamp: began * 1_000, InvocationID: 'x' }
  const bus: Bus = {
    query: async ({ body = [] }) => [properties[String(body[1])] ?? 0],
    listen: async () => {},
    onConnection() {},
    [Symbol.dispose]() {},
  }
  const host: ReadHost = {
    ...createReadHost(),
    now: () => now,
    async query(command) {
      asked.push([...command])
      return { exitCode: 0, stdout: exited + failed, stderr: '' }
    },
  }
  const layout = {
    isUser: false,
    unitDirectory: '/',
    recordDirectory: '/',
    reloadDirectory: '/',
    runtime: '/',
  }
  return { bus, host, layout: { ...layout, completionDirectory: '/', manager: { name: 'systemd', addresses: [] } } }
}

test('a running job keeps its last result; a socket-activated service clears it once it stays up', async () => {
  const asked: string[][] = []
  const reader = createLastRunReader()
  const running = { began, outcome: 'running' }
  const before = { run: running, failure: { message: 'it exited with code 3' } }
  for (const isTimer of [true, false]) {
    const read = (age: number) => reader.read(unit, { isTimer, since: began - 5_500 }, lookAt(began + age, asked))
    expect(await read(GOOD_RUN - 1)).toEqual(before)
    expect(await read(GOOD_RUN)).toEqual(isTimer ? before : { run: running })
  }
  // Once per run, however often it is observed, and only since the activation unit began to wait.
  expect(asked).toHaveLength(1)
  expect(asked[0]).toContain(`--since=@${(began - 5_500) / 1_000}`)
})
