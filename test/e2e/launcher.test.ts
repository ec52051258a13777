import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { reevePath } from './household.ts'

// The compiled form of the program saves time, and nothing else.

interface Installation {
  readonly cache: string
  validate(user?: number): string
}

/** A copy of what was built. */
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

test('the first run keeps its compiled form, and the next ones use it', () => {
  const { cache, validate } = install()
  const first = validate()
  expect(first).toContain('valid')
  const kept = statSync(cache)
  expect(validate()).toBe(first)
  expect(statSync(cache)).toMatchObject({ ino: kept.ino, mtimeMs: kept.mtimeMs })
})

test('the compiled form of another Node, or none at all, is replaced', () => {
  const { cache, validate } = install()
  const first = validate()
  const { size } = statSync(cache)
  writeFileSync(cache, 'not what V8 makes')
  expect(validate()).toBe(first)
  expect(statSync(cache).size).toBeGreaterThan(size / 2)
})

test.runIf(process.geteuid?.() === 0)('who may not write there leaves nothing there', () => {
  const { cache, validate } = install()
  expect(validate(65_534)).toContain('valid')
  expect(statSync(cache, { throwIfNoEntry: false })).toBeUndefined()
})
