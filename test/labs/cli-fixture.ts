import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The built program, as a user runs it. */
export const reevePath: string = fileURLToPath(new URL('../../dist/reeve.cjs', import.meta.url))

export interface Outcome {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Of the pseudo-terminal. Default: 80. */
  readonly columns?: number
}

/** A running `reeve`. In a pseudo-terminal both streams are in `stdout`. */
export interface Running {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  readonly ended: Promise<Outcome>
}

/** Directory with manifests and state of its own, and programs run in it. */
export interface CliFixture {
  readonly directory: string
  /** Runs `reeve` to its end, in `directory`. */
  reeve(args: readonly string[], options?: RunOptions): Promise<Outcome>
  /** Runs `reeve` to its end, fails with all its output if that fails, and returns its stdout. */
  succeed(args: readonly string[], options?: RunOptions): Promise<string>
  start(args: readonly string[], options?: RunOptions): Running
  /** Another program, in the same environment. */
  startProgram(program: string, args: readonly string[]): Running
  /** In a pseudo-terminal of 24 lines. */
  startInTerminal(args: readonly string[], options?: RunOptions): Running
  path(...names: string[]): string
  write(name: string, text: string): void
  /** Replaces the file, atomically. */
  rename(from: string, to: string): void
  remove(name: string): void
  status(name: string): Promise<FacilityStatus | undefined>
}

export interface FacilityStatus {
  readonly name: string
  readonly state: string
  readonly pid: number | null
  readonly enabled: boolean | null
  readonly health: string
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[]
}

/** For one test: when it has ended, everything is taken down. */
export function openCliFixture(manifests: Readonly<Record<string, string>> = {}): CliFixture {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-e2e-'))
  const path = (...names: string[]) => join(directory, ...names)
  const running = new Set<ChildProcess>()
  mkdirSync(path('manifests'), { mode: 0o755 })

  function begin(command: string, args: readonly string[], options: RunOptions = {}): Running {
    // In a session of its own: the tester's may be that of process 1, in a container, and Reeve would then take itself for
    // the entrypoint's.
    const child = spawn(command, args, { cwd: directory, env: surroundings(directory, options.env), detached: true })
    running.add(child)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const ended = new Promise<Outcome>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode, signal) => {
        running.delete(child)
        resolve({ exitCode, signal, stdout, stderr })
      })
    })
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      // It has ended before it read its input.
      if (error.code !== 'EPIPE') throw error
    })
    // A terminal gets its input from the test as it goes.
    if (options.input !== undefined) child.stdin.end(options.input)
    return { child, stdout: () => stdout, stderr: () => stderr, ended }
  }

  const fixture: CliFixture = {
    directory,
    path,
    reeve: (args, options) =>
      begin(process.execPath, [reevePath, ...args, ...settings], { input: '', ...options }).ended,
    async succeed(args, options) {
      const { exitCode, stdout, stderr } = await fixture.reeve(args, options)
      if (exitCode !== 0) throw new Error(`reeve ${args.join(' ')} gave ${exitCode}:\n${stdout}${stderr}`)
      return stdout
    },
    start: (args, options) => begin(process.execPath, [reevePath, ...args, ...settings], options),
    startProgram: (program, args) => begin(program, args),
    startInTerminal(args, options) {
      const command = [process.execPath, reevePath, ...args, ...settings].map(word => `'${word}'`).join(' ')
      return begin('script', ['-qfec', `stty cols ${options?.columns ?? 80} rows 24; exec ${command}`, '/dev/null'], {
        ...options,
        env: { TERM: 'xterm-256color', ...options?.env },
      })
    },
    // Independent of the tester's umask: paths that others can write are refused.
    write: (name, text) => writeFileSync(path(name), text, { mode: 0o644 }),
    rename: (from, to) => renameSync(path(from), path(to)),
    remove: name => rmSync(path(name)),
    async status(name) {
      const { stdout } = await fixture.reeve(['status', '-o', 'json'])
      const { facilities }: { facilities: FacilityStatus[] } = JSON.parse(stdout)
      return facilities.find(facility => facility.name === name)
    },
  }

  // Also after a test that timed out: nothing may be left running.
  onTestFinished(async () => {
    for (const child of running) child.kill('SIGKILL')
    const { exitCode, stderr } = await fixture.reeve(['down', '--yes'])
    if (exitCode !== 0) throw new Error(`reeve down failed in ${directory}: ${stderr}`)
    rmSync(directory, { recursive: true, force: true })
  })
  fixture.write('reeve.yaml', hostConfiguration)
  for (const [name, text] of Object.entries(manifests)) fixture.write(`manifests/${name}`, text)
  return fixture
}

/** The tester's own environment must not affect colours or directories. */
function surroundings(directory: string, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '' } = process.env
  return { PATH, HOME: directory, LANG: 'C.UTF-8', ...extra }
}

const settings = ['--config', 'reeve.yaml']

const hostConfiguration = `apiVersion: reeve/v1
kind: HostConfiguration
stateDirectory: state
resync: 1s
`

/** Service that runs until it is told to stop. `spec` is YAML in braces or a block, indented by 2. */
export function sleeper(name: string, spec: string = ''): string {
  return `apiVersion: reeve/v1
kind: Facility
metadata: { name: ${name} }
spec:
  process: { command: [sleep, "1000"] }
${spec}`
}

/** True while a process of that id exists that isn't a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .startsWith('Z')
  } catch {
    return false
  }
}
