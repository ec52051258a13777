import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isAlive } from '../labs/cli-fixture.ts'

const reeve = join(import.meta.dirname, '../../dist/reeve.cjs')

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, args: readonly string[], cwd: string): Outcome {
  // Variables of the test runner are not a user's, and would make Node's runner take itself for its child.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
  return spawnSync(program, args, { cwd, env, encoding: 'utf8' })
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-create-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const create = (cwd: string, ...args: readonly string[]): Outcome =>
  run(process.execPath, [reeve, 'create-provider', ...args], cwd)

test('a created provider passes its suite, and plans and applies, unmodified', { timeout: 300_000 }, () => {
  const parent = makeDirectory()
  const { status, stdout, stderr } = create(parent, 'reeve-provider-finit')
  const directory = join(parent, 'reeve-provider-finit')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain(`Created a provider of type finit in ${directory}.`)
  expect(stdout).toContain('cd reeve-provider-finit\n  npm test')
  const text = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => !name.startsWith('node_modules') && /\.\w+$/.test(name))
    .map(name => readFileSync(join(directory, name), 'utf8'))
  expect(text.join('')).not.toMatch(/pidfile|path\/to/)

  const act = (command: string, ...args: readonly string[]): string => {
    const options = ['--config', 'example/reeve.yaml', '--state-dir', 'example/state', '--insecure-permissions']
    const done = run(process.execPath, [reeve, command, ...args, ...options], directory)
    expect({ command, status: done.status, stderr: done.stderr }).toMatchObject({ status: 0 })
    return done.stdout
  }
  expect(act('plan', 'example/manifests')).toContain('web')
  act('apply', 'example/manifests')
  const status_ = JSON.parse(act('status', '--manifests', 'example/manifests', '-o', 'json'))
  expect(status_.facilities).toMatchObject([{ name: 'web', supervisor: 'mine', state: 'running' }])
  expect(act('plan', 'example/manifests')).toContain('No changes')
  act('down', '--yes', '--manifests', 'example/manifests')
  expect(isAlive(status_.facilities[0].pid)).toBe(false)

  const suite = run('npm', ['test'], directory)
  const failed = suite.stdout.split(/^ *# Subtest: /m).filter(one => /^ *not ok/m.test(one))
  expect({ status: suite.status, failed }).toEqual({ status: 0, failed: [] })
  const [, cases] = /^# pass (\d+)$/m.exec(suite.stdout) ?? /^ℹ pass (\d+)$/m.exec(suite.stdout) ?? []
  expect(Number(cases)).toBeGreaterThan(35)
})

describe('create-provider refuses', () => {
  test('a directory that is not empty, which it leaves alone', () => {
    const directory = makeDirectory()
    writeFileSync(join(directory, 'mine.txt'), 'mine')
    const { status, stderr } = create(directory, '.', '--type', 'finit')
    expect(status).toBe(1)
    expect(stderr).toContain(`${directory} is not empty, it has mine.txt in it; name a new directory`)
    expect(readdirSync(directory)).toEqual(['mine.txt'])
    const file = create(directory, 'mine.txt', '--type', 'finit')
    expect(file).toMatchObject({ status: 1, stderr: expect.stringContaining('mine.txt is no directory') })
  })

  test('a type that no manifest can name, or that Reeve has already', () => {
    const parent = makeDirectory()
    expect(create(parent, 'My.Provider').stderr).toContain('found "My.Provider"; name one with --type')
    expect(create(parent, 'mine', '--type', '../x')).toMatchObject({ status: 1 })
    expect(create(parent, 'systemd').stderr).toContain('Reeve has a provider of type systemd already')
    expect(readdirSync(parent)).toEqual([])
    mkdirSync(join(parent, 'systemd'))
    expect(create(parent, 'systemd', '--type', 'sysv')).toMatchObject({ status: 0, stderr: '' })
    expect(existsSync(join(parent, 'systemd/provider.mjs'))).toBe(true)
  })
})
