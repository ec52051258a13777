import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { protectedPathFunctions } from '../../../providers/posix/protected-path.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { startSwapping } from '../../tools/path-swapper.ts'

const isRoot = process.getuid?.() === 0
const user = { uid: 4_711, gid: 4_712 }

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'reeve-path-'))
  chmodSync(base, 0o755)
})
afterEach(() => rmSync(base, { recursive: true }))

const host = createWriteHost()

/** Directory owned by the test. */
function makeDirectory(name: string, mode = 0o755, { uid = 0, gid = 0 } = {}): string {
  const path = join(base, name)
  mkdirSync(path, { recursive: true })
  chmodSync(path, mode)
  chownSync(path, uid, gid)
  return path
}

function makeFile(path: string, content: string, mode = 0o644, { uid = 0, gid = 0 } = {}): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  chmodSync(path, mode)
  chownSync(path, uid, gid)
  return path
}

/** Runs the shell functions that root's scripts use on a path; returns their message. */
function askShell(path: string): string {
  const question = '__reeve_is_protected "$1" && printf %s "$__reeve_real" || printf "unsafe: %s" "$__reeve_unsafe"'
  return spawnSync('/bin/sh', ['-c', `${protectedPathFunctions}${question}`, 'sh', path], { encoding: 'utf8' }).stdout
}

describe.runIf(isRoot)('S8: an operation of root on a path', () => {
  /** Directories, by what others can do to them. */
  const kinds: readonly [what: string, mode: number, owner: { uid?: number; gid?: number }, unsafe: string][] = [
    ['of another user', 0o755, user, 'owner 4711'],
    ['of another user, who has no right to write', 0o555, user, 'owner 4711'],
    ['of another user and the group root', 0o755, { uid: user.uid }, 'owner 4711'],
    ['of root, for a group to write', 0o775, { gid: user.gid }, 'group 4712, mode 0775'],
    ['of root, for the group root to write', 0o775, {}, 'group 0, mode 0775'],
    ['of root, for everybody to write', 0o777, {}, 'mode 0777'],
  ]

  for (const [what, mode, owner, unsafe] of kinds) {
    for (const below of ['', '/sub']) {
      test(`is refused ${below === '' ? 'in' : 'below'} a directory ${what}`, async () => {
        const directory = makeDirectory('a', mode, owner)
        const place = `${directory}${below}`
        mkdirSync(place, { recursive: true })
        const path = join(place, 'file')
        const refusals: (() => unknown)[] = [
          () => host.writeFile(path, 'x', { mode: 0o644 }),
          () => host.appendFile(path, 'x', { mode: 0o644 }),
          () => host.removeFile(path),
          () => host.makeLink(path, '/etc/passwd'),
          () => host.makeDirectory(path, { mode: 0o755 }),
          () => host.makeDirectory(join(path, 'deeper'), { mode: 0o755 }),
          () => host.removeDirectory(path),
          () => host.moveFile(path, join(base, 'there')),
          () => host.moveFile(makeFile(join(base, 'here'), ''), path),
          () => host.reuseFiles(place, [{ path: join(base, 'there'), content: 'x', mode: 0o644 }]),
          () => host.reuseFiles(base, [{ path, content: 'x', mode: 0o644 }]),
          () => host.readProtectedFile(path),
          () => host.spawn(['/bin/true'], { environment: {}, output: path }),
        ]
        for (const act of refusals) expect(act).toThrow(unsafe)
        await expect(host.writeFiles([{ path, content: 'x', mode: 0o644 }])).rejects.toThrow(unsafe)
        expect(host.findUnsafePart(place)).toMatchObject({ path: directory })
        expect(askShell(path)).toMatch(`unsafe: ${directory} (owner`)
        expect(readdirSync(place)).toEqual([])
      })
    }
  }

  test('is done in directories that only root can write', () => {
    const directory = makeDirectory('a', 0o755)
    host.writeFile(join(directory, 'file'), 'x', { mode: 0o600, ...user })
    expect(host.findUnsafePart(directory, { isExclusive: true })).toBeUndefined()
    expect(askShell(join(directory, 'file'))).toBe(join(directory, 'file'))
    expect(String(host.readProtectedFile(join(directory, 'file')))).toBe('x')
  })

  test('in a sticky directory replaces whole files and appends nothing', () => {
    const directory = makeDirectory('a', 0o1777)
    const path = join(directory, 'file')
    host.writeFile(path, 'x', { mode: 0o644 })
    host.removeFile(path)
    expect(() => host.appendFile(path, 'x', { mode: 0o644 })).toThrow('mode 1777')
    expect(host.findUnsafePart(directory)).toBeUndefined()
    expect(host.findUnsafePart(directory, { isExclusive: true })).toMatchObject({ path: directory })
    expect(askShell(path)).toContain('unsafe:')
  })

  const secret = 'for root alone'

  test('follows no symlink of another user, neither as a file nor as a directory', () => {
    makeFile(join(base, 'private/secret'), secret, 0o600)
    const home = makeDirectory('home', 0o755, user)
    for (const [name, target] of [
      ['secret', '../private/secret'],
      ['absolute', join(base, 'private/secret')],
      ['directory', '../private'],
    ] as const) {
      symlinkSync(target, join(home, name))
      lchownSync(join(home, name), user.uid, user.gid)
    }
    for (const path of ['secret', 'absolute', 'directory/secret']) {
      expect(() => host.readFile(join(home, path))).toThrow(/is a symlink that others can replace/)
      expect(() => host.readProtectedFile(join(home, path))).toThrow()
      expect(askShell(join(home, path))).toContain('unsafe:')
    }
  })

  test('follows a symlink of root, whatever directories it leads through', () => {
    const file = makeFile(join(base, 'private/deep/secret'), secret, 0o600)
    symlinkSync('private', join(base, 'link'))
    symlinkSync('link/deep/../deep/secret', join(base, 'file'))
    expect(String(host.readFile(join(base, 'file')))).toBe(secret)
    expect(String(host.readProtectedFile(join(base, 'link/deep/secret')))).toBe(secret)
    expect(askShell(join(base, 'file'))).toBe(file)
  })

  test('counts as unprotected if a symlink of root leads through a directory of another user', () => {
    makeFile(join(makeDirectory('home', 0o755, user), 'file'), 'x')
    symlinkSync('home/file', join(base, 'file'))
    expect(() => host.readProtectedFile(join(base, 'file'))).toThrow('owner 4711')
    expect(askShell(join(base, 'file'))).toContain('unsafe:')
    expect(String(host.readFile(join(base, 'file')))).toBe('x')
  })

  test('reads a file of another user in a directory of root', () => {
    const path = makeFile(join(base, 'file'), 'x', 0o600, user)
    expect(String(host.readProtectedFile(path))).toBe('x')
    expect(askShell(path)).toBe(path)
  })

  test('opens no device or pipe', () => {
    expect(() => host.readFile('/dev/null')).toThrow(/expected a file, found a device/)
    expect(() => host.readProtectedFile('/dev/null')).toThrow(/expected a file, found a device/)
  })

  test('reads nothing for a user who swaps a file for a symlink at full speed', { timeout: 30_000 }, async () => {
    makeFile(join(base, 'private/secret'), secret, 0o600)
    const home = makeDirectory('home', 0o755, user)
    makeFile(join(home, 'file'), 'harmless', 0o644, user)
    symlinkSync('../private/secret', join(home, 'trap'))
    lchownSync(join(home, 'trap'), user.uid, user.gid)
    await using swapper = await startSwapping(join(home, 'file'), join(home, 'trap'), user)
    const seen = new Set<string>()
    for (const end = Date.now() + 3_000; Date.now() < end; ) {
      try {
        seen.add(String(host.readFile(join(home, 'file'))))
      } catch (error) {
        seen.add(
          error instanceof Error && /symlink that others can replace/.test(error.message) ? 'refused' : `${error}`,
        )
      }
    }
    expect(await swapper.stop()).toBeGreaterThan(1_000)
    expect([...seen].sort()).toEqual(['harmless', 'refused'])
  })

  test('writes nothing for a user who swaps a directory for a symlink at full speed', {
    timeout: 30_000,
  }, async () => {
    const target = makeDirectory('private')
    const home = makeDirectory('home', 0o755, user)
    makeDirectory('home/sub', 0o755, user)
    symlinkSync('../private', join(home, 'trap'))
    lchownSync(join(home, 'trap'), user.uid, user.gid)
    await using swapper = await startSwapping(join(home, 'sub'), join(home, 'trap'), user)
    const path = join(home, 'sub/file')
    for (const end = Date.now() + 3_000; Date.now() < end; ) {
      expect(() => host.writeFile(path, 'x', { mode: 0o644 })).toThrow()
      expect(() => host.appendFile(path, 'x', { mode: 0o644 })).toThrow()
      expect(() => host.removeFile(path)).toThrow()
    }
    expect(await swapper.stop()).toBeGreaterThan(1_000)
    expect(readdirSync(target)).toEqual([])
  })

  test('writes nothing for a user who moves the opened directory elsewhere', () => {
    const home = makeDirectory('home', 0o755, user)
    makeFile(join(home, 'inner/file'), 'x')
    renameSync(join(home, 'inner'), join(home, 'outer'))
    expect(() => host.writeFile(join(home, 'outer/file'), 'y', { mode: 0o644 })).toThrow('owner 4711')
    expect(readFileSync(join(home, 'outer/file'), 'utf8')).toBe('x')
    expect(existsSync(join(home, 'inner'))).toBe(false)
  })
})
