import { expect, test } from 'vitest'
import { readStatus } from '../../../../providers/openrc/status.ts'

const facts = {
  kind: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  device: 0,
  inode: 0,
  modified: 0,
  changed: 0,
} as const
const place = { parent: 1, group: 1, session: 1, hasTerminal: false, state: 'S', startTime: '1' }

function statusOf(files: Readonly<Record<string, string>>, pids: readonly number[] = []) {
  return readStatus('shop', {
    facts: path => (path in files ? facts : undefined),
    readText: path => files[path],
    process: pid => (pids.includes(pid) ? { ...place, pid } : undefined),
  })
}

const booted = { '/run/openrc/softlevel': 'default', '/run/openrc/started/shop': '' }

test('the process of a service of Debian is that of its pidfile, which is all that OpenRC records', () => {
  const files = { ...booted, '/run/openrc/options/shop/pidfile': '/run/shop.pid', '/run/shop.pid': '42\n' }
  expect(statusOf(files)).toEqual({ marks: new Set(['started']), daemon: undefined, recorded: 42 })
})

test('a supervise-daemon counts while it lives and is that of the service', () => {
  const files = { ...booted, '/run/supervise-shop.pid': '7\n', '/run/openrc/options/shop/child_pid': '8' }
  const daemonOf = (words: string, pids = [7]) => statusOf({ ...files, '/proc/7/cmdline': words }, pids).daemon
  expect(daemonOf('supervise-daemon\0shop\0--start\0')).toBe(7)
  expect(daemonOf('supervise-daemon\0web\0--start\0')).toBeUndefined()
  expect(daemonOf('/bin/sleep\0shop\0')).toBeUndefined()
  expect(daemonOf('supervise-daemon\0shop\0--start\0', [])).toBeUndefined()
  expect(statusOf(files, [7]).recorded).toBe(8)
})

test('OpenRC is unavailable where it has not booted', () => {
  expect(() => statusOf({})).toThrow(/has not set up \/run\/openrc/)
})
