import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll } from 'vitest'

export interface HostUser {
  readonly name: string
  uid: number
  gid: number
}

/** A user of this run with a group of its own, while the tests of a file run as root; else uid and gid stay 0. */
export function useHostUser(name: string): HostUser {
  const user = { name, uid: 0, gid: 0 }
  const numberOf = (database: string): number =>
    Number(execFileSync('getent', [database, name], { encoding: 'utf8' }).split(':')[2])
  beforeAll(() => {
    if (process.geteuid?.() !== 0) return
    execFileSync('useradd', ['--user-group', '--no-create-home', '--home-dir', '/nonexistent', name])
    user.uid = numberOf('passwd')
    user.gid = numberOf('group')
  })
  afterAll(() => {
    if (process.geteuid?.() === 0) execFileSync('userdel', [name])
  })
  return user
}
