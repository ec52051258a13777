import { expect, test } from 'vitest'
import { createAccounts, parseGroupLine, parsePasswdLine } from '../../../src/host/accounts.ts'

test('an entry of /etc/passwd gives ids, home and shell', () => {
  expect(parsePasswdLine('web:x:998:997:Web,,,:/srv/web:/usr/sbin/nologin')).toEqual([
    'web',
    { uid: 998, gid: 997, home: '/srv/web', shell: '/usr/sbin/nologin' },
  ])
  expect(parsePasswdLine('old:x:5:5:::')).toEqual(['old', { uid: 5, gid: 5, home: '', shell: '/bin/sh' }])
})

test.each(['', '# comment', '+::::::', 'web:x:-1:0:::', 'web:x:abc:0:::'])('%j is no user', line => {
  expect(parsePasswdLine(line)).toBeUndefined()
})

test.each([
  ['web:x:997:a,b', ['web', 997]],
  ['web:x:997', ['web', 997]],
  ['+:::', undefined],
  ['web:x::', undefined],
])('%j as a group has this id', (line, expected) => {
  expect(parseGroupLine(line)).toEqual(expected)
})

test('root is found by name, not by number, and an unknown name is not found', () => {
  const accounts = createAccounts(Date.now)
  expect(accounts.findUser('root')).toMatchObject({ uid: 0, gid: 0 })
  expect(accounts.findGroup('root')).toBe(0)
  for (const name of ['0', '', '-s', 'no-such-account', 'a:b', 'root\n']) {
    expect(accounts.findUser(name)).toBeUndefined()
    expect(accounts.findGroup(name)).toBeUndefined()
  }
})

test('an id is found by its number, with all groups of its account', () => {
  const accounts = createAccounts(Date.now)
  expect(accounts.findUserById(0)).toEqual({ name: 'root', uid: 0, gid: 0 })
  expect(accounts.findUserById(4_294_967_290)).toBeUndefined()
  expect([...accounts.findGroupsOf({ name: 'root', uid: 0, gid: 0 })]).toContain(0)
  for (const name of ['no-such-account', '-s', '']) {
    expect([...accounts.findGroupsOf({ name, uid: 7, gid: 8 })]).toEqual([8])
  }
})
