import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { reevePath } from '../labs/cli-fixture.ts'

// The compiled form of the program saves time and changes nothing else.

interface Installation {
  readonly cache: string
  validate(user?: number): string
}

/** Copy of the built program. */
function install(): Installation {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-installed-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o755)
  const root = join(dirname(reevePath), '..')
  for (const name of ['dist', 'manifests', 'schemas', 'package.json']) {
    cpSync(join(root, name), join(directory, name), { recursive: true })
  }
  const dist = join(directory, 'dist')
  const program = readdirSync(dist).find(name => /^program-.*\.cjs$/.test(name)) ?? ''
  const cache = join(dist, program.replace(/cjs$/, 'cache'))
  rmSync(cache)
  return {
    cache,
    validate(uid) {
      const args = [join(directory, 'dist/reeve.cjs'), 'validate', 'manifests', '--insecure-permissions']
      const { status, stdout, stderr } = spawnSync(process.execPath, args, {
        cwd: directory,
        encoding: 'utf8',
        env: { HOME: directory },
        ...(uid !== undefined && { uid }),
      })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      return stdout
    },
  }
}

test('the first run saves its compiled form, and later runs use it', () => {
  const { cache, validate } = install()
  const first = validate()
  expect(first).toContain('valid')
  const kept = statSync(cache)
  expect(validate()).toBe(first)
  expect(statSync(cache)).toMatchObject({ ino: kept.ino, mtimeMs: kept.mtimeMs })
})

test('the compiled form of another Node, or an invalid one, is replaced', () => {
  const { cache, validate } = install()
  const first = validate()
  const { size } = statSync(cache)
  writeFileSync(cache, 'not what V8 makes')
  expect(validate()).toBe(first)
  expect(statSync(cache).size).toBeGreaterThan(size / 2)
})

test.runIf(process.geteuid?.() === 0)('a user without write access leaves nothing there', () => {
  const { cache, validate } = install()
  expect(validate(65_534)).toContain('valid')
  expect(statSync(cache, { throwIfNoEntry: false })).toBeUndefined()
})

/** Compiled form that V8 accepts for that of the program, as it checks the length, and that creates a file instead. */
function forge(cache: string, canary: string): void {
  const program = readFileSync(cache.replace(/cache$/, 'cjs'), 'latin1')
  const names = 'exports,require,module,__filename,__dirname,importModule'
  const start = `(function (${names}) {require('node:fs').writeFileSync(${JSON.stringify(canary)}, '');`
  const length = `(function (${names}) {${program}\n})`.length
  const code = `${start}${' '.repeat(length - start.length - 2)}})`
  writeFileSync(cache, new Script(code, { filename: cache.replace(/cache$/, 'cjs') }).createCachedData())
}

describe.runIf(process.geteuid?.() === 0)('S1: a compiled form that others may have written is not run:', () => {
  test.each<[string, (path: string) => void]>([
    ['owned by another user', path => chownSync(path, 12_345, 0)],
    ['world-writable', path => chmodSync(path, 0o666)],
    ['group-writable', path => chmodSync(path, 0o664)],
  ])('%s', (_, spoil) => {
    const { cache, validate } = install()
    const canary = join(dirname(cache), 'canary')
    const forged = (): void => {
      rmSync(cache, { force: true })
      forge(cache, canary)
    }
    forged()
    spawnSync(process.execPath, [join(dirname(cache), 'reeve.cjs'), 'validate'], { cwd: dirname(cache) })
    expect(existsSync(canary), 'as it is root’s, the forgery works').toBe(true)
    rmSync(canary)
    forged()
    spoil(cache)
    expect(validate()).toContain('valid')
    expect(existsSync(canary)).toBe(false)
    expect(statSync(cache)).toMatchObject({ uid: 0 })
    expect(statSync(cache).mode & 0o777).toBe(0o644)
  })

  test('whatever the umask, nobody else may write the saved one', () => {
    const { cache, validate } = install()
    const before = process.umask(0)
    try {
      validate()
    } finally {
      process.umask(before)
    }
    expect(statSync(cache).mode & 0o777).toBe(0o644)
  })
})
