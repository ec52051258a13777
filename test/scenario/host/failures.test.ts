import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createFailure, explainComplaint } from '../../../src/host/failure.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

const isRoot = process.getuid?.() === 0
const nobody = { name: 'nobody', uid: 65_534, gid: 65_534 }
const host = createWriteHost()

/** File system of its own, ext4 as on most hosts: the kernel refuses the same there. */
function createFileSystem() {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-failure-'))
  chmodSync(directory, 0o755)
  const place = join(directory, 'mounted')
  mkdirSync(place)
  writeFileSync(join(directory, 'image'), '')
  truncateSync(join(directory, 'image'), 8 * 1024 * 1024)
  execFileSync('mkfs.ext4', ['-q', join(directory, 'image')])
  execFileSync('mount', ['-o', 'loop', join(directory, 'image'), place])
  const attributes = new Set<string>()
  return {
    path: (...names: string[]): string => join(place, ...names),
    remount: (how: string) => execFileSync('mount', ['-o', `remount,${how}`, place]),
    mark(path: string, attribute: string) {
      execFileSync('chattr', [`+${attribute}`, path])
      attributes.add(path)
    },
    [Symbol.dispose]() {
      for (const path of attributes) spawnSync('chattr', ['-ia', path])
      spawnSync('umount', ['-l', place])
      rmSync(directory, { recursive: true })
    },
  }
}

async function failureOf(act: () => unknown): Promise<string> {
  try {
    await act()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'it did not fail'
}

describe.runIf(isRoot)('a read-only file system', () => {
  test('allows the removal of an absent file, but of no existing one', async () => {
    using mounted = createFileSystem()
    const there = mounted.path('there')
    writeFileSync(there, 'x')
    mkdirSync(mounted.path('kept'))
    chownSync(mounted.path(), nobody.uid, nobody.gid)
    chownSync(there, nobody.uid, nobody.gid)
    mounted.remount('ro')
    await host.removeFileAs(nobody, mounted.path('gone'))
    expect(await failureOf(() => host.removeFileAs(nobody, there))).toContain('the file system is read-only (EROFS)')
    mounted.remount('rw')
    chownSync(mounted.path(), 0, 0)
    mounted.remount('ro')
    host.removeFile(mounted.path('gone'))
    host.removeFile(mounted.path('gone', 'below'))
    host.removeDirectory(mounted.path('gone'))
    expect(await failureOf(() => host.removeFile(there))).toContain('the file system is read-only (EROFS)')
    expect(await failureOf(() => host.removeDirectory(mounted.path('kept')))).toContain('(EROFS)')
    expect(await failureOf(() => host.writeFile(there, 'y', { mode: 0o644 }))).toContain('(EROFS)')
    expect(existsSync(there)).toBe(true)
  })
})

describe.runIf(isRoot)('an operation that the kernel refuses even to root', () => {
  const remedy = /even to root \(EPERM\).*lsattr -d.*immutable or append-only.*chattr -i/

  test('on an immutable file is reported with the cause', async () => {
    using mounted = createFileSystem()
    const path = mounted.path('x.conf')
    writeFileSync(path, 'x')
    mounted.mark(path, 'i')
    expect(await failureOf(() => host.removeFile(path))).toMatch(remedy)
    expect(await failureOf(() => host.writeFile(path, 'y', { mode: 0o644 }))).toMatch(remedy)
    await expect(host.writeFiles([{ path, content: 'y', mode: 0o644 }])).rejects.toThrow(remedy)
    expect(await failureOf(() => host.moveFile(path, mounted.path('y.conf')))).toMatch(remedy)
  })

  test.each(['i', 'a'])('in a directory with +%s is reported with the cause', async attribute => {
    using mounted = createFileSystem()
    const directory = mounted.path('conf.d')
    mkdirSync(directory)
    const path = join(directory, 'x.conf')
    writeFileSync(path, 'x')
    mounted.mark(directory, attribute)
    expect(await failureOf(() => host.removeFile(path))).toMatch(remedy)
    expect(await failureOf(() => host.removeDirectory(directory))).toMatch(remedy)
    expect(await failureOf(() => host.writeFile(path, 'y', { mode: 0o644 }))).toMatch(remedy)
    host.removeFile(join(directory, 'gone'))
  })

  test('on an immutable file of a user, in their directory, is reported with the cause', async () => {
    using mounted = createFileSystem()
    chownSync(mounted.path(), nobody.uid, nobody.gid)
    const path = mounted.path('x.conf')
    writeFileSync(path, 'x')
    chownSync(path, nobody.uid, nobody.gid)
    mounted.mark(path, 'i')
    expect(await failureOf(() => host.removeFileAs(nobody, path))).toMatch(/not permitted; see with lsattr -d/)
    await expect(host.writeFileAs(nobody, path, 'y', { mode: 0o644 })).rejects.toThrow(/not permitted; see with lsattr/)
  })

  test('does not advise root to run as root', () => {
    for (const code of ['EPERM', 'EACCES']) {
      const { message } = createFailure('write /x', Object.assign(new Error(code), { code }))
      expect(message).toContain(`even to root (${code})`)
      expect(message).not.toMatch(/run Reeve as|mostly root/)
    }
  })
})

describe('a disk that cannot be written', () => {
  const { username } = userInfo()

  /** Shell in which the kernel refuses each write with that errno. */
  async function refusalOf(code: string, path: string): Promise<string> {
    const failing = createWriteHost({
      onEffect() {
        throw Object.assign(new Error(code), { code })
      },
    })
    return failureOf(() => failing.writeFile(path, 'x', { mode: 0o644 }))
  }

  test.each([
    [
      'EDQUOT',
      `the disk quota of user ${username} is used up (EDQUOT); free some of that user's space on the file system at /`,
    ],
    ['EIO', 'the device reports an input/output error (EIO); check the disk of the file system at /'],
    ['ENOSPC', 'there is no space left on the device (ENOSPC); free some space on the file system at /'],
    ['EROFS', 'the file system is read-only (EROFS); make it writable (mount -o remount,rw /'],
  ])('is reported with place and remedy: %s', async (code, words) => {
    const path = join(tmpdir(), 'reeve-failure.conf')
    expect(await refusalOf(code, path)).toContain(`cannot write ${path}: ${words}`)
  })

  test('is recognized in messages of shells and tools', () => {
    expect(explainComplaint('cannot append output to /proc/web/out as user 33: Disk quota exceeded')).toBe(
      "cannot append output to /proc/web/out as user 33: the disk quota of user 33 is used up (EDQUOT); free some of that user's space on the file system at /proc, or raise the quota (edquota)",
    )
    expect(explainComplaint('mkdir: /proc/x: I/O error')).toMatch(
      /\(EIO\); check the disk of the file system at \/proc:.*smartctl/,
    )
    expect(explainComplaint('no such thing: /proc')).toBe('no such thing: /proc')
  })
})
