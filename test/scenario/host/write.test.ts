import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Effect } from '../../../src/host/effects.ts'
import { isPipeRead } from '../../../src/host/pipe-reader.ts'
import { findTargetProblem } from '../../../src/host/target-path.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

const isRoot = process.getuid?.() === 0
const nobody = 65_534

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-write-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const host = createWriteHost()

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777
}

test('S7: content, owner and mode are complete before the rename shows them', () => {
  const path = join(directory, 'app.toml')
  writeFileSync(path, 'old')
  const seen: unknown[] = []
  let temporary = ''
  const watched = createWriteHost({
    onEffect(effect, phase) {
      if (effect.kind === 'write-temporary') temporary = effect.target
      if (effect.kind !== 'rename' || phase !== 'before') return
      const facts = statSync(temporary)
      seen.push(readFileSync(path, 'utf8'), readFileSync(temporary, 'utf8'), facts.mode & 0o7777, facts.uid, facts.gid)
    },
  })
  const ids = isRoot ? { uid: 12, gid: 34 } : {}
  watched.writeFile(path, 'new', { mode: 0o4751, ...ids })
  const { uid, gid } = statSync(path)
  expect(seen).toEqual(['old', 'new', 0o4751, uid, gid])
  if (isRoot) expect([uid, gid]).toEqual([12, 34])
  expect(readFileSync(path, 'utf8')).toBe('new')
})

test('S7: the file is synced, then renamed, then its directory is synced', () => {
  const effects: Effect[] = []
  const path = join(directory, 'x')
  createWriteHost({ onEffect: (effect, phase) => phase === 'after' && effects.push(effect) }).writeFile(path, 'x', {
    mode: 0o600,
  })
  expect(effects.map(effect => effect.kind)).toEqual(['write-temporary', 'rename', 'sync-directory'])
  expect(effects.slice(1).map(effect => effect.target)).toEqual([path, directory])
})

test('a file that a crash of the machine makes meaningless is replaced in one step, without syncing', () => {
  const effects: Effect[] = []
  const path = join(directory, 'x')
  const host = createWriteHost({ onEffect: (effect, phase) => phase === 'after' && effects.push(effect) })
  host.writeFile(path, 'x', { mode: 0o600, isFleeting: true })
  expect(effects.map(effect => effect.kind)).toEqual(['write-temporary', 'rename'])
  expect(readFileSync(path, 'utf8')).toBe('x')
})

test('S7: the temporary file is beside the target, and matches no include glob of a supervisor', () => {
  const globs = '* *.conf *.ini *.service *.d [!a]* ?*'
  let seen = 0
  const watched = createWriteHost({
    onEffect(effect, phase) {
      if (effect.kind !== 'write-temporary' || phase !== 'after') return
      seen += 1
      expect(dirname(effect.target)).toBe(directory)
      expect(readdirSync(directory)).toContain(basename(effect.target))
      expect(effect.target).toMatch(/\.tmp$/)
      expect(execFileSync('sh', ['-c', `echo ${globs}`], { cwd: directory, encoding: 'utf8' })).not.toMatch(/reeve/)
    },
  })
  const names = ['web.service', 'run', 'web.conf', 'ü'.repeat(127)]
  for (const name of names) watched.writeFile(join(directory, name), '', { mode: 0o600 })
  expect(seen).toBe(names.length)
})

test('the mode does not depend on the umask', () => {
  const umask = process.umask(0o077)
  try {
    host.writeFile(join(directory, 'file'), '', { mode: 0o666 })
    host.appendFile(join(directory, 'log'), 'x', { mode: 0o664 })
    host.makeDirectory(join(directory, 'sub'), { mode: 0o755 })
  } finally {
    process.umask(umask)
  }
  expect(modeOf(join(directory, 'file'))).toBe(0o666)
  expect(modeOf(join(directory, 'log'))).toBe(0o664)
  expect(modeOf(join(directory, 'sub'))).toBe(0o755)
})

test('S7: a failed write leaves no temporary file, and reports the path and what to do', () => {
  const path = join(directory, 'target')
  mkdirSync(path)
  expect(() => host.writeFile(path, 'x', { mode: 0o600 })).toThrow(
    `cannot write ${path}: it is a directory (EISDIR); remove the directory, or choose another path`,
  )
  expect(readdirSync(directory)).toEqual(['target'])
  expect(() => host.writeFile(join(directory, 'gone', 'x'), 'x', { mode: 0o600 })).toThrow(
    `cannot open the directory ${join(directory, 'gone')}: there is no such file or directory (ENOENT)`,
  )
})

test('S7: temporary files of dead processes are removed, others stay', () => {
  const leftover = '.reeve-web.toml-4194305-0123456789ab.tmp'
  const live = `.reeve-web.toml-${process.ppid}-0123456789ab.tmp`
  const others = [
    '.reeve-web.toml.tmp',
    '.reeve-4194305-0123456789ab.tmp',
    'reeve-x-4194305-0123456789ab.tmp',
    '.hidden',
  ]
  for (const name of [leftover, live, ...others]) writeFileSync(join(directory, name), '')
  host.writeFile(join(directory, 'web.toml'), 'x', { mode: 0o600 })
  expect(readdirSync(directory).sort()).toEqual([live, ...others, 'web.toml'].sort())
})

test('S6: a symlink at the path is replaced, not followed', () => {
  const path = join(directory, 'link')
  const elsewhere = join(directory, 'elsewhere')
  writeFileSync(elsewhere, 'untouched')
  symlinkSync(elsewhere, path)
  expect(() => host.appendFile(path, 'x', { mode: 0o600 })).toThrow(/symlink/)
  host.writeFile(path, 'new', { mode: 0o600 })
  expect(lstatSync(path).isFile()).toBe(true)
  expect(readFileSync(elsewhere, 'utf8')).toBe('untouched')
  symlinkSync(elsewhere, join(directory, 'again'))
  host.removeFile(join(directory, 'again'))
  expect(readFileSync(elsewhere, 'utf8')).toBe('untouched')
})

test('S6: a directory that is swapped for a symlink meanwhile does not redirect the write', () => {
  const parent = join(directory, 'parent')
  const moved = join(directory, 'moved')
  const secret = join(directory, 'secret')
  mkdirSync(parent)
  mkdirSync(secret)
  writeFileSync(join(secret, 'shadow'), 'untouched')
  const attacked = createWriteHost({
    onEffect(effect, phase) {
      if (effect.kind !== 'write-temporary' || phase !== 'before') return
      renameSync(parent, moved)
      symlinkSync(secret, parent)
    },
  })
  attacked.writeFile(join(parent, 'shadow'), 'new', { mode: 0o600 })
  expect(readFileSync(join(secret, 'shadow'), 'utf8')).toBe('untouched')
  expect(readFileSync(join(moved, 'shadow'), 'utf8')).toBe('new')
  expect(readdirSync(secret)).toEqual(['shadow'])
})

test("S6: a link that only Reeve's user can have created is followed, one that others can replace is not", () => {
  mkdirSync(join(directory, 'real', 'deep'), { recursive: true })
  symlinkSync('real', join(directory, 'relative'))
  symlinkSync(join(directory, 'relative', 'deep', '..'), join(directory, 'absolute'))
  const path = join(directory, 'absolute', 'deep', 'file')
  host.writeFile(path, 'one', { mode: 0o600 })
  expect(readFileSync(join(directory, 'real', 'deep', 'file'), 'utf8')).toBe('one')
  expect(findTargetProblem(path, host)).toBeUndefined()

  chmodSync(directory, 0o777)
  const refusal =
    /is a symlink that others can replace; use the real path|can be written by everybody, who could lead root elsewhere/
  expect(findTargetProblem(path, host)).toMatch(refusal)
  expect(() => host.writeFile(path, 'two', { mode: 0o600 })).toThrow(refusal)
  expect(() => host.removeFile(path)).toThrow(refusal)
  expect(() => host.makeDirectory(join(directory, 'absolute', 'new'), { mode: 0o700 })).toThrow(refusal)
  chmodSync(directory, 0o1777)
  expect(findTargetProblem(path, host)).toBeUndefined()
  host.writeFile(path, 'three', { mode: 0o600 })
  expect(readFileSync(path, 'utf8')).toBe('three')
})

test.runIf(isRoot)("S6: another user's link is not followed", () => {
  mkdirSync(join(directory, 'real'))
  const link = join(directory, 'link')
  symlinkSync('real', link)
  lchownSync(link, nobody, nobody)
  const path = join(link, 'file')
  expect(findTargetProblem(path, host)).toContain(link)
  expect(() => host.writeFile(path, 'x', { mode: 0o600 })).toThrow(
    expect.objectContaining({ code: 'insecure', message: expect.stringContaining(link) }),
  )
  expect(readdirSync(join(directory, 'real'))).toEqual([])
})

test('S6: circular links are an error', () => {
  symlinkSync('b', join(directory, 'a'))
  symlinkSync('a', join(directory, 'b'))
  const path = join(directory, 'a', 'file')
  expect(findTargetProblem(path, host)).toMatch(/too many symlinks/)
  expect(() => host.writeFile(path, 'x', { mode: 0o600 })).toThrow(/too many symlinks/)
})

test('S6: an obstacle in place of a managed file is named', () => {
  mkdirSync(join(directory, 'sub'))
  writeFileSync(join(directory, 'file'), '')
  symlinkSync('file', join(directory, 'link'))
  const problems = ['file', 'new', 'sub', 'link', 'gone/x', 'file/x', 'link/x', '../x', 'sub/../x', 'x/'].map(
    name => findTargetProblem(`${directory}/${name}`, host)?.replaceAll(directory, 'D') ?? 'none',
  )
  expect(problems).toMatchInlineSnapshot(`
    [
      "none",
      "none",
      "D/sub is a directory; remove it, or choose another path",
      "D/link is a symlink; name the file that it leads to, or remove the link",
      "the directory D/gone does not exist; create it, or correct the path",
      "D/file is no directory; correct the path",
      "D/file is no directory; correct the path",
      "expected an absolute path without "." and "..", found D/../x",
      "expected an absolute path without "." and "..", found D/sub/../x",
      "expected an absolute path without "." and "..", found D/x/",
    ]
  `)
  expect(findTargetProblem('/dev/null', host)).toMatch(/is a device, pipe or socket/)
  expect(findTargetProblem('/', host)).toMatch(/expected/)
  expect(findTargetProblem('relative', host)).toMatch(/expected an absolute path/)
})

test('directories are created with their parents, and removed only if empty', () => {
  const path = join(directory, 'a', 'b', 'c')
  host.makeDirectory(path, { mode: 0o750 })
  expect(modeOf(path)).toBe(0o750)
  host.makeDirectory(path, { mode: 0o700 })
  expect(modeOf(path)).toBe(0o750)
  host.removeDirectory(join(directory, 'a'))
  expect(readdirSync(directory)).toEqual(['a'])
  writeFileSync(join(path, '.reeve-x-4194305-0123456789ab.tmp'), '')
  for (const part of ['a/b/c', 'a/b', 'a', 'a', 'a/b']) host.removeDirectory(join(directory, part))
  expect(readdirSync(directory)).toEqual([])
  writeFileSync(join(directory, 'file'), '')
  expect(() => host.makeDirectory(join(directory, 'file'), { mode: 0o700 })).toThrow(/no directory/)
})

test('removing a missing path does nothing', () => {
  host.removeFile(join(directory, 'gone'))
  host.removeFile(join(directory, 'gone', 'gone'))
  expect(() => host.removeFile(directory)).toThrow(`cannot remove ${directory}`)
})

test('a file is moved over another, and a link as itself', () => {
  writeFileSync(join(directory, 'old'), 'old')
  symlinkSync('old', join(directory, 'link'))
  writeFileSync(join(directory, 'target'), 'target')
  host.moveFile(join(directory, 'link'), join(directory, 'target'))
  expect(readlinkSync(join(directory, 'target'))).toBe('old')
  expect(() => host.moveFile(join(directory, 'gone'), join(directory, 'x'))).toThrow(/cannot move .*gone to .*x/)
})

test('if one of several files cannot be begun, no write of the others is still running', async () => {
  const paths = Array.from({ length: 64 }, (_, index) => join(directory, `file${index}`))
  const broken = createWriteHost({
    onEffect({ target }) {
      if (target.includes('.reeve-file63-')) throw new Error('not begun')
    },
  })
  const files = paths.map(path => ({ path, content: 'x', mode: 0o644 }))
  await expect(broken.writeFiles(files)).rejects.toThrow('not begun')
  const open = readdirSync('/proc/self/fd').flatMap(fd => readOpenPath(fd))
  expect(open.filter(path => path.startsWith(directory))).toEqual([])
  expect(readdirSync(directory)).toEqual([])
})

/** None if it was that of the listing itself. */
function readOpenPath(fd: string): string[] {
  try {
    return [readlinkSync(`/proc/self/fd/${fd}`)]
  } catch {
    return []
  }
}

test('appending adds to the end, and refuses a pipe', () => {
  const path = join(directory, 'log')
  host.appendFile(path, 'one\n', { mode: 0o640 })
  host.appendFile(path, Buffer.from('two\n'), { mode: 0o600 })
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
  expect(modeOf(path)).toBe(0o640)
  expect(() => host.appendFile('/dev/null', 'x', { mode: 0o600 })).toThrow(/expected a regular file/)
})

test('a link is created once, and never over an existing path', () => {
  const link = join(directory, 'link')
  const effects: string[] = []
  const counted = createWriteHost({ onEffect: ({ kind }, phase) => void (phase === 'after' && effects.push(kind)) })
  counted.makeLink(link, '/target')
  counted.makeLink(link, '/target')
  expect([readlinkSync(link), effects]).toEqual(['/target', ['make-link']])
  expect(() => counted.makeLink(link, '/other')).toThrow(/EEXIST/)
})

test('text goes into a pipe with a reader, and nowhere else', () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect([isPipeRead(pipe), host.writePipe(pipe, 'u')]).toEqual([false, false])
  expect(isPipeRead(join(directory, 'none'))).toBe(false)
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    expect([isPipeRead(pipe), host.writePipe(pipe, 'du')]).toEqual([true, true])
    expect(readSync(reader, Buffer.alloc(9))).toBe(2)
  } finally {
    closeSync(reader)
  }
  const file = join(directory, 'file')
  writeFileSync(file, 'text')
  expect(() => host.writePipe(file, 'u')).toThrow(/named pipe/)
  expect(readFileSync(file, 'utf8')).toBe('text')
})

test('several files are written in one call, each completely, with its mode, and in the given order', async () => {
  const effects: string[] = []
  const counted = createWriteHost({
    onEffect: ({ kind, target }, phase) => {
      if (phase === 'before' && kind === 'rename') effects.push(basename(target))
    },
  })
  mkdirSync(join(directory, 'deep'))
  const names = ['one', 'deep/two', 'three']
  await counted.writeFiles(names.map(name => ({ path: join(directory, name), content: `${name}\n`, mode: 0o640 })))
  expect(effects).toEqual(['one', 'two', 'three'])
  for (const name of names) {
    expect(readFileSync(join(directory, name), 'utf8')).toBe(`${name}\n`)
    expect(statSync(join(directory, name)).mode & 0o7777).toBe(0o640)
  }
  expect(readdirSync(directory, { recursive: true }).sort()).toEqual(['deep', 'deep/two', 'one', 'three'])
})

test('of several files none is replaced if a directory is missing, and nothing is left beside them', async () => {
  writeFileSync(join(directory, 'one'), 'old\n')
  const files = [
    { path: join(directory, 'one'), content: 'new\n', mode: 0o644 },
    { path: join(directory, 'missing/two'), content: 'new\n', mode: 0o644 },
  ]
  await expect(host.writeFiles(files)).rejects.toThrow('missing')
  expect(readdirSync(directory)).toEqual(['one'])
  expect(readFileSync(join(directory, 'one'), 'utf8')).toBe('old\n')
})

test('of new files, those that another directory has alike are linked, and the others are given back', () => {
  const [from, to] = [join(directory, 'from'), join(directory, 'to')]
  for (const path of [from, to]) mkdirSync(path)
  const modes = { same: 0o600, tool: 0o700, longer: 0o600, other: 0o600 }
  for (const [name, mode] of Object.entries(modes)) writeFileSync(join(from, name), name, { mode })
  symlinkSync('same', join(from, 'link'))
  const wanted = (name: string, content = name, mode = 0o600) => ({ path: join(to, name), content, mode })
  const files = [
    wanted('same'),
    wanted('tool'),
    wanted('longer', 'longest'),
    wanted('other', 'OTHER'),
    wanted('link', 'same'),
    wanted('missing'),
  ]
  expect(host.reuseFiles(from, files)).toEqual(files.slice(1))
  expect(readdirSync(to)).toEqual(['same'])
  expect(statSync(join(to, 'same')).ino).toBe(statSync(join(from, 'same')).ino)
  expect(host.reuseFiles(join(directory, 'nowhere'), files)).toBe(files)
})

test.runIf(isRoot)('what another user owns, or lies on another file system, is not linked', () => {
  const [from, to] = [join(directory, 'from'), join(directory, 'to')]
  for (const path of [from, to]) mkdirSync(path)
  writeFileSync(join(from, 'theirs'), 'x', { mode: 0o600 })
  lchownSync(join(from, 'theirs'), nobody, nobody)
  const files = (name: string) => [{ path: join(to, name), content: 'x', mode: 0o600 }]
  expect(host.reuseFiles(from, files('theirs'))).toEqual(files('theirs'))
  const elsewhere = mkdtempSync('/dev/shm/reeve-')
  try {
    writeFileSync(join(elsewhere, 'far'), 'x', { mode: 0o600 })
    expect(host.reuseFiles(elsewhere, files('far'))).toEqual(files('far'))
  } finally {
    rmSync(elsewhere, { recursive: true })
  }
  expect(readdirSync(to)).toEqual([])
})
