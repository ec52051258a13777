import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { SpawnedProcess, SpawnOptions } from '../core/contracts/runs.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { createStartFailure } from './execution.ts'
import { createFailure, errnoOf } from './failure.ts'
import { openDirectory } from './opened-directory.ts'

/** Starts a process in a session of its own; see `WriteHost.spawn`. Throws ReeveError if it could not be started. */
export function spawnDetached(command: readonly string[], options: SpawnOptions): SpawnedProcess {
  const [program, ...args] = command
  if (program === undefined) throw new ReeveError('internal', 'a command to start needs at least a program')
  const output = options.output === undefined ? undefined : openOutput(options.output, options.outputMode ?? 0o600)
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output ?? 'ignore', output ?? 'ignore'],
      env: options.environment,
      ...(options.directory === undefined ? {} : { cwd: options.directory }),
    })
    return follow(child, command, options)
  } catch (error) {
    throw error instanceof ReeveError ? error : createStartFailure(command, options.directory, error)
  } finally {
    if (output !== undefined) closeSync(output)
  }
}

function follow(child: ChildProcess, command: readonly string[], options: SpawnOptions): SpawnedProcess {
  // Node tells why a start failed only later, as an event, which unheard would end this process.
  child.on('error', () => {})
  if (child.pid === undefined) throw createStartFailure(command, options.directory, guessCause(command, options))
  const exited = new Promise<number | undefined>(resolve => child.once('exit', code => resolve(code ?? undefined)))
  child.unref()
  return { pid: child.pid, exited }
}

/** Node gives no errno with the missing pid, so the cause is looked up. */
function guessCause(command: readonly string[], options: SpawnOptions): unknown {
  const [program = ''] = command
  const directories = program.includes('/') ? [''] : (options.environment.PATH ?? '/usr/bin:/bin').split(':')
  let cause: unknown
  for (const directory of directories) {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return new Error('the kernel refused to start it: its format may be wrong, or there are too many processes')
    } catch (error) {
      if (cause === undefined || errnoOf(cause) === 'ENOENT') cause = error
    }
  }
  return cause
}

/** Opens the file that a process's output is appended to, and makes it with exactly that mode if it isn't there. */
export function openOutput(path: string, mode: number): number {
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
  try {
    using directory = openDirectory(dirname(path), { isExclusive: true })
    const anchored = directory.entry(basename(path))
    const fd = createOutput(anchored, flags, mode) ?? openSync(anchored, flags)
    if (fstatSync(fd).isFile()) return fd
    closeSync(fd)
    throw new ReeveError('failed', `expected a regular file to append to, found something else: ${path}`)
  } catch (error) {
    throw createFailure(`append to ${path}`, error, { path })
  }
}

/** Undefined if it exists. */
function createOutput(path: string, flags: number, mode: number): number | undefined {
  try {
    const fd = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, mode)
    fchmodSync(fd, mode)
    return fd
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined
    throw error
  }
}
