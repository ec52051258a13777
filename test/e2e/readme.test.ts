import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/lab.ts'
import { parseReadme, sameEverywhere } from './readme-page.ts'

/**
 * Does what README.md says, command by command, as a new user in a checkout of their own. Root tries it as `nobody`, so
 * that the host's own Reeve, if it has one, isn't touched. What the page tells root to do is done in a machine of its own,
 * by test/systemd/install.test.ts.
 */
const repository = resolve(import.meta.dirname, '../..')
const nobody = 65534
let home: string
let checkout: string
let controller: ChildProcess | undefined
let said = ''

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'reeve-readme-'))
  checkout = join(home, 'reeve-checkout')
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: repository, encoding: 'utf8' })
  const names = listed.stdout.split('\n').filter(name => name !== '' && existsSync(join(repository, name)))
  for (const name of [...names, 'dist', 'schemas/compiled']) {
    mkdirSync(dirname(join(checkout, name)), { recursive: true })
    cpSync(join(repository, name), join(checkout, name), {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
    })
  }
  // A directory of its own, as the setup notes there what it has built.
  const modules = join(checkout, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (!name.startsWith('.reeve')) symlinkSync(join(repository, 'node_modules', name), join(modules, name))
  }
  if (process.geteuid?.() === 0) own(home)
})

afterAll(async () => {
  await endController()
  run('node dist/reeve.cjs down --yes')
  rmSync(home, { recursive: true, force: true })
})

test('every command in README.md works, and shows what the page shows', { timeout: 300_000 }, async () => {
  const parts = parseReadme(readFileSync(join(repository, 'README.md'), 'utf8'))
  const commands = parts.flatMap(part => (part.type === 'command' ? part.command : []))
  expect(commands).toContain('npm start')
  expect(commands.length).toBeGreaterThan(10)
  for (const part of parts) {
    if (part.type === 'prose') {
      if (part.text.startsWith('Stop the controller with Ctrl-C')) await endController()
    } else if (part.type === 'output') {
      await expectToSay(part.shown)
    } else if (part.command === 'npm start') {
      controller = begin(part.command)
    } else {
      await expectToShow(part.command, part.shown)
    }
  }
})

async function expectToSay(shown: readonly string[]): Promise<void> {
  const deadline = Date.now() + 60_000
  while (missing(shown, said).length > 0 && Date.now() < deadline) await setTimeout(50)
  expect(missing(shown, said), said).toEqual([])
}

/** What the controller does of its own accord may take a moment to show. */
async function expectToShow(command: string, shown: readonly string[]): Promise<void> {
  let { status, output } = run(command)
  const isRepeatable = /reeve (status|history)|curl/.test(command)
  const deadline = Date.now() + 20_000
  while (isRepeatable && missing(shown, output).length > 0 && Date.now() < deadline) ({ status, output } = run(command))
  expect({ command, status, missing: missing(shown, output) }, output).toEqual({ command, status: 0, missing: [] })
}

/** Lines of the page that aren't in the output, but for what differs from machine to machine. */
function missing(shown: readonly string[], output: string): string[] {
  const lines = new Set(output.split('\n').map(line => sameEverywhere(line, home)))
  return shown.filter(line => !lines.has(sameEverywhere(line, home)))
}

function run(command: string): { status: number | null; output: string } {
  const [program = '', ...args] = asUser(['/bin/bash', '-c', command])
  const options = { cwd: checkout, env: environment(), encoding: 'utf8', timeout: 120_000 } as const
  const { status, stdout, stderr } = spawnSync(program, args, options)
  return { status, output: stdout + stderr }
}

/** In a pseudo-terminal, as the page shows it. */
function begin(command: string): ChildProcess {
  const [program = '', ...args] = asUser(['script', '-qfec', command, '/dev/null'])
  const child = spawn(program, args, { cwd: checkout, env: environment(), stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text.replaceAll('\r', '')
  })
  return child
}

async function endController(): Promise<void> {
  if (!controller) return
  const child = controller
  controller = undefined
  child.stdin?.write('\x03')
  await eventually('the controller to end after Ctrl-C', () => child.exitCode !== null || child.signalCode !== null)
}

function asUser(command: readonly string[]): readonly string[] {
  if (process.geteuid?.() !== 0) return command
  return ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--', ...command]
}

/** As it is here (proxies, registries), but for what says who and where one is. */
function environment(): NodeJS.ProcessEnv {
  const prefix = join(home, 'global')
  const { XDG_STATE_HOME: _state, XDG_CONFIG_HOME: _config, NODE_OPTIONS: _options, ...rest } = process.env
  return {
    ...rest,
    HOME: home,
    PATH: `${prefix}/bin:${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    npm_config_prefix: prefix,
    npm_config_cache: join(home, '.npm'),
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    TERM: 'xterm',
    COLUMNS: '200',
    NO_COLOR: '1',
  }
}

function own(path: string): void {
  chownSync(path, nobody, nobody)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    if (entry.isDirectory()) own(join(path, entry.name))
    else chownSync(join(path, entry.name), nobody, nobody)
  }
}
