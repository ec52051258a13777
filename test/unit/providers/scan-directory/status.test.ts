import { expect, test } from 'vitest'
import { parseDaemontoolsStatus } from '../../../../providers/daemontools/status.ts'
import { parseRunitStatus } from '../../../../providers/runit/status.ts'
import { parseS6Status } from '../../../../providers/s6/status.ts'

/** Status as runsv 2.1.2 writes it. */
function runitStatus({ pid = 0, paused = 0, want = 'u', state = 0 }): Uint8Array {
  const content = Buffer.alloc(20)
  content.writeBigUInt64BE(0x400000000000000an + 1_700_000_000n, 0)
  content.writeUInt32BE(250_000_000, 8)
  content.writeUInt32LE(pid, 12)
  content.writeUInt8(paused, 16)
  content.write(want, 17, 'latin1')
  content.writeUInt8(state, 19)
  return content
}

const since = 1_700_000_000_250

test.for([
  [{}, { state: 'down', want: 'up', isPaused: false, since }],
  [{ want: 'd' }, { state: 'down', want: 'down', isPaused: false, since }],
  [
    { pid: 70_000, state: 1 },
    { state: 'up', pid: 70_000, want: 'up', isPaused: false, since },
  ],
  [
    { pid: 7, state: 1, paused: 1 },
    { state: 'up', pid: 7, want: 'up', isPaused: true, since },
  ],
  [
    { pid: 7, state: 2, want: 'd' },
    { state: 'finish', pid: 7, want: 'down', isPaused: false, since },
  ],
] as const)('a status of runsv: %j', ([given, expected]) => {
  expect(parseRunitStatus(runitStatus(given))).toEqual(expected)
})

test('a short read, another length or an unknown state is no status', () => {
  const whole = runitStatus({})
  for (const content of [new Uint8Array(), whole.subarray(0, 19), Buffer.concat([whole, whole])]) {
    expect(parseRunitStatus(content)).toBeUndefined()
  }
  expect(parseRunitStatus(runitStatus({ state: 9 }))).toBeUndefined()
})

/** Status as s6-supervise 2.11 writes it, with past leap seconds, and with 43 bytes as 2.13 does. */
function s6Status(flags: number, pid: number, length: 35 | 43): Uint8Array {
  const content = Buffer.alloc(length)
  content.writeBigUInt64BE(0x400000000000000an + 1_700_000_027n, 0)
  content.writeUInt32BE(250_000_000, 8)
  content.writeBigUInt64BE(BigInt(pid), 24)
  content.writeUInt8(flags, length - 1)
  return content
}

test.for([
  [4, 0, { state: 'down', want: 'up', isPaused: false, isReady: false, since }],
  [8, 0, { state: 'down', want: 'down', isPaused: false, isReady: true, since }],
  [12, 70_000, { state: 'up', pid: 70_000, want: 'up', isPaused: false, isReady: true, since }],
  [5, 7, { state: 'up', pid: 7, want: 'up', isPaused: true, isReady: false, since }],
  [2, 7, { state: 'finish', pid: 7, want: 'down', isPaused: false, isReady: false, since }],
] as const)('a status of s6-supervise, of 35 bytes and of 43: flags %i', ([flags, pid, expected]) => {
  expect(parseS6Status(s6Status(flags, pid, 35))).toEqual(expected)
  expect(parseS6Status(s6Status(flags, pid, 43))).toEqual(expected)
  expect(parseS6Status(s6Status(flags, pid, 43).subarray(0, 42))).toBeUndefined()
})

test.for([
  ['u', 70_000, 0, { state: 'up', pid: 70_000, want: 'up', isPaused: false, since }],
  ['d', 0, 0, { state: 'down', want: 'down', isPaused: false, since }],
  ['\0', 7, 0, { state: 'up', pid: 7, isPaused: false, since }],
  ['u', 7, 1, { state: 'up', pid: 7, want: 'up', isPaused: true, since }],
] as const)('a status of supervise: %j', ([want, pid, paused, expected]) => {
  const content = runitStatus({ want, pid, paused }).subarray(0, 18)
  expect(parseDaemontoolsStatus(content)).toEqual(expected)
  expect(parseDaemontoolsStatus(content.subarray(0, 17))).toBeUndefined()
})
