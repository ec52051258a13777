import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import type { QueryResult } from '../core/contracts/host.ts'
import type { RunOptions } from '../core/contracts/runs.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from './clock.ts'
import { type Deadline, openDeadline } from './deadline.ts'
import { createFailure, errnoOf } from './failure.ts'
import { afterLastOutput } from './last-output.ts'
import { toolEnvironment } from './tool-environment.ts'

/** Time in ms that a child may hold the output of an ended program open. */
const outputGrace = 200

/** Largest output of a program in bytes; one that writes more is ended. */
const outputLimit = 8 * 1024 * 1024

/**
 * Runs a program to its end, without a shell, with what tools need of Reeve's environment and `environment`. Output is not waited for longer than the program itself: a service
 * started by an init script keeps it open for ever.
 *
 * Throws ReeveError: `unavailable` if there is no such program, `failed` at the timeout, `aborted` by the signal.
 */
export async function execute(command: readonly string[], options: RunOptions, clock: Clock): Promise<QueryResult> {
  const [program, ...args] = command
  if (program === undefined) throw new ReeveError('internal', 'a command to run needs at least a program')
  if (options.signal?.aborted) throw createAbortion(command, options.signal)
  const { execa } = await import('execa')
  using limit = openLimit(clock, options)
  const child = execa(program, args, {
    reject: false,
    stripFinalNewline: false,
    forceKillAfterDelay: 2_000,
    maxBuffer: outputLimit,
    detached: options.hasOwnSession === true,
    extendEnv: false,
    env: { ...toolEnvironment(process.env), ...options.environment },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    ...(limit === undefined ? {} : { cancelSignal: limit.signal }),
  })
  child.once('exit', () => {
    const letGo = (): void => {
      child.stdout.destroy()
      child.stderr.destroy()
    }
    afterLastOutput(clock, outputGrace, letGo, { keepsAlive: false })
  })
  const result = await child
  if (result.isCanceled && options.signal?.aborted) throw createAbortion(command, options.signal)
  if (result.isCanceled) {
    throw new ReeveError(
      'failed',
      `${describeCommand(command)} did not end within ${options.timeout} ms and was stopped`,
    )
  }
  const exitCode = result.exitCode ?? exitCodeOfSignal(result.signal)
  if (exitCode === undefined) throw createStartFailure(command, options.directory, result.cause)
  return { exitCode, stdout: result.stdout, stderr: result.stderr }
}

function openLimit(clock: Clock, { timeout, signal }: RunOptions): Deadline | undefined {
  if (timeout !== undefined) return openDeadline(clock, timeout, signal ? [signal] : [])
  return signal && { signal, isOver: () => false, [Symbol.dispose]() {} }
}

/** Exit code of a program that could not be started. */
export function createStartFailure(
  command: readonly string[],
  directory: string | undefined,
  cause: unknown,
): ReeveError {
  const task = `run ${describeCommand(command)}`
  if (directory !== undefined && !existsSync(directory)) {
    return new ReeveError('failed', `cannot ${task}: there is no working directory ${directory}; create it`, { cause })
  }
  const code = errnoOf(cause)
  // EACCES of a program has other causes than of a file, for root too.
  if (code === 'EACCES') {
    const entered = directory === undefined ? '' : `, or its working directory ${directory} can't be entered`
    const forbidden = `permission denied (EACCES): ${command[0]}, or what its first line asks for, can't be executed${entered}`
    const remedy = 'make it executable (chmod +x), and see that it lies on no file system mounted noexec'
    return new ReeveError('failed', `cannot ${task}: ${forbidden}; ${remedy}`, { cause })
  }
  if (code !== 'ENOENT') return createFailure(task, cause)
  const missing = `there is no program ${command[0]}, or what its first line asks for; install it, or correct the path`
  return new ReeveError('unavailable', `cannot ${task}: ${missing}`, { cause })
}

/** Exit code as a shell reports it: 128 and the signal's number. */
export function exitCodeOfSignal(signal: NodeJS.Signals | undefined): number | undefined {
  return signal === undefined ? undefined : 128 + (constants.signals[signal] ?? 0)
}

export function createAbortion(command: readonly string[], signal: AbortSignal): ReeveError {
  return new ReeveError('aborted', `${describeCommand(command)} was given up`, { cause: signal.reason })
}

/** First words of a command line, as the rest may be long. */
export function describeCommand(command: readonly string[]): string {
  const text = command.slice(0, 3).join(' ')
  return command.length > 3 ? `${text} …` : text
}
