import { chmodSync, chownSync, lchownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'

/** Ids of a user of the host, or of another that has no name. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

export const root: Owner = { uid: 0, gid: 0 }
export const stranger: Owner = { uid: 4_711, gid: 4_712 }

/** Directories and files of a hostile service's user, and of root, below a directory of the test. */
export interface HostilePlace {
  /** Name and ids of the user. */
  readonly name: string
  readonly user: Owner
  /** Content that only root may read. */
  readonly secret: string
  /** Its directory, accessible to root only. */
  readonly closed: string
  directory(name: string, owner?: Owner, mode?: number): string
  file(path: string, content: string, owner?: Owner, mode?: number): string
  /** Symlink created by the user. */
  link(path: string, target: string): string
  /** Throws if root's file has changed. */
  expectUntouched(): void
}

export const secretText = 'for-root-alone'

export function createHostilePlace(base: string, host: ReadHost, name = 'nobody'): HostilePlace {
  const found = host.findUser(name)
  if (!found) throw new Error(`expected a user ${name} on this host`)
  const user: Owner = { uid: found.uid, gid: found.gid }
  chmodSync(base, 0o755)

  function directory(place: string, owner = user, mode = 0o755): string {
    const path = join(base, place)
    mkdirSync(path, { recursive: true })
    chownSync(path, owner.uid, owner.gid)
    chmodSync(path, mode)
    return path
  }

  function file(path: string, content: string, owner = user, mode = 0o600): string {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    chownSync(path, owner.uid, owner.gid)
    chmodSync(path, mode)
    return path
  }

  const closed = directory('closed', root, 0o700)
  const secret = file(join(closed, 'secret'), `A=${secretText}\n`, root)
  const before = statSync(secret)
  return {
    name,
    user,
    secret,
    closed,
    directory,
    file,
    link(path, target) {
      symlinkSync(target, path)
      lchownSync(path, user.uid, user.gid)
      return path
    },
    expectUntouched() {
      const now = statSync(secret)
      const facts = ({ uid, gid, mode, ino, size, mtimeMs }: typeof now): string =>
        JSON.stringify({ uid, gid, mode, ino, size, mtimeMs })
      if (facts(now) !== facts(before)) throw new Error(`${secret} was ${facts(before)} and is ${facts(now)}`)
    },
  }
}
