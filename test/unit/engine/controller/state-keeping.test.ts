import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Log } from '../../../../src/core/contracts/log.ts'
import { openStateKeeping } from '../../../../src/engine/controller/state-keeping.ts'
import { emptyRecord, readRecord } from '../../../../src/engine/session/state-files.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

function openKeeping() {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'reeve-keeping-'))
  onTestFinished(() => rmSync(stateDirectory, { recursive: true }))
  let code: string | undefined
  const host = createWriteHost({
    onEffect() {
      if (code !== undefined) throw Object.assign(new Error(code), { code })
    },
  })
  const said: string[] = []
  const say = (_fields: object, message: string): number => said.push(message)
  const log: Log = { debug: say, info: say, warn: say, error: say }
  const clock = createManualClock()
  const keeping = openStateKeeping({ stateDirectory, record: emptyRecord, host, clock, log, changed() {} })
  return { keeping, clock, said, stateDirectory, host, fail: (next: string | undefined) => (code = next) }
}

const record = { ...emptyRecord, instances: new Map([['lab', { type: 'process', options: {} }]]) }

test.each([
  ['EDQUOT', /the disk quota of user \S+ is used up \(EDQUOT\); free some .* raise the quota/],
  ['EIO', /input\/output error \(EIO\); check the disk .*dmesg and smartctl/],
  ['ENOSPC', /no space left on the device \(ENOSPC\); free some space on the file system at \//],
  ['EROFS', /read-only \(EROFS\); make it writable \(mount -o remount,rw \//],
])('%s: a failed write of state is reported once, kept, and repeated when possible', async (code, words) => {
  const { keeping, clock, said, stateDirectory, host, fail } = openKeeping()
  fail(code)
  keeping.save(record)
  keeping.save({ ...record })
  await clock.advance(5_000)
  expect(keeping.unwritable()).toMatchObject([{ path: stateDirectory, message: expect.stringMatching(words) }])
  expect(said.filter(line => words.test(line))).toHaveLength(1)
  fail(undefined)
  await clock.advance(5_000)
  expect(keeping.unwritable()).toEqual([])
  expect(readRecord(stateDirectory, host).instances).toEqual(record.instances)
  keeping[Symbol.dispose]()
})

test('an error with another cause is not called a full disk', () => {
  const { keeping, said, fail } = openKeeping()
  fail('EACCES')
  keeping.save(record)
  expect(keeping.unwritable()).toEqual([])
  expect(said).toEqual([expect.stringContaining('(EACCES)')])
  keeping[Symbol.dispose]()
})
