import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CliFixture } from '../labs/cli-fixture.ts'
import { reevePath } from '../labs/cli-fixture.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
}

export interface TimedRun {
  /** Duration of the whole process, as seen by whoever started it, in milliseconds. */
  readonly duration: number
  /** Both streams. */
  readonly output: string
}

const memoryHook = fileURLToPath(new URL('memory-hook.mjs', import.meta.url))

/** The built program, as a user runs it. */
export function reeve(fixture: CliFixture, ...args: readonly string[]): Command {
  const settings = ['--config', fixture.path('reeve.yaml')]
  return { program: process.execPath, args: [reevePath, ...args, ...settings], directory: fixture.directory }
}

/**
 * Runs a command to its end; rejects with all its output if it fails. It writes to a file, as a daemon that it leaves behind
 * would keep a pipe open.
 */
export async function timeRun({ program, args, directory, env }: Command): Promise<TimedRun> {
  const place = mkdtempSync(join(tmpdir(), 'reeve-bench-'))
  const path = join(place, 'output')
  const file = openSync(path, 'w')
  try {
    const { PATH = '' } = process.env
    const surroundings = { PATH, HOME: directory, LANG: 'C.UTF-8', ...env }
    const began = performance.now()
    const end = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      const child = spawn(program, args, { cwd: directory, env: surroundings, stdio: ['ignore', file, file] })
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve(code ?? signal))
    })
    const duration = performance.now() - began
    const output = readFileSync(path, 'utf8')
    if (end !== 0) throw new Error(`${program} ${args.join(' ')} gave ${end}:\n${output}`)
    return { duration, output }
  } finally {
    closeSync(file)
    rmSync(place, { recursive: true })
  }
}

/** Peak memory (bytes, resident) of a Node program. */
export async function findPeakMemory(command: Command): Promise<number> {
  const place = mkdtempSync(join(tmpdir(), 'reeve-bench-'))
  try {
    const path = join(place, 'peak')
    const args = ['--import', memoryHook, ...command.args]
    await timeRun({ ...command, args, env: { ...command.env, REEVE_BENCH_PEAK: path } })
    return Number(readFileSync(path, 'utf8'))
  } finally {
    rmSync(place, { recursive: true })
  }
}
