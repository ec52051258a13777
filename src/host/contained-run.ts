import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { ContainedRunOptions, ContainedRunResult } from '../core/contracts/runs.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from './clock.ts'
import { createAbortion, createStartFailure, describeCommand, exitCodeOfSignal } from './execution.ts'
import { afterLastOutput } from './last-output.ts'
import { endLeftovers } from './leftover-processes.ts'

/** Time in ms that a command may take after TERM, and the kernel after KILL. */
const grace = 1_000

/** Variable with an unguessable value that marks all processes of a command, in any session. */
const markVariable = 'REEVE_RUN'

/**
 * Runs a program in a session of its own with `environment` alone, and ends whatever it leaves behind before it gives the result.
 * Its output is thrown away, unless `outputLimit` says how many bytes of it are kept; a program that writes more is ended. Ended itself, by `timeout` or `signal`, it gets TERM with its whole group, then KILL.
 *
 * Throws ReeveError: `unavailable` if there is no such program, `failed` at the timeout or the output limit, `aborted` by the
 * signal.
 */
export async function runContained(
  command: readonly string[],
  options: ContainedRunOptions,
  clock: Clock,
): Promise<ContainedRunResult> {
  const [program, ...args] = command
  if (program === undefined) throw new ReeveError('internal', 'a command to run needs at least a program')
  const { timeout, signal, input, directory, outputLimit } = options
  if (signal?.aborted) throw createAbortion(command, signal)
  const mark = randomBytes(16).toString('hex')
  const child = spawn(program, args, {
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', ...outputs(outputLimit)],
    env: { ...options.environment, [markVariable]: mark },
    ...(directory === undefined ? {} : { cwd: directory }),
  })
  const ended = followEnd(child)
  const { pid } = child
  if (pid === undefined) throw createStartFailure(command, directory, (await ended).error)
  // The command may end without reading its input.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const stdout = keepOutput(child.stdout)
  const stderr = keepOutput(child.stderr)

  let isLate = false
  let isTooMuch = false
  let given: Disposable | undefined
  const giveUp = (): void => {
    if (given) return
    signalGroup(pid, 'SIGTERM')
    given = clock.after(grace, () => endLeftovers(pid, mark))
  }
  const deadline =
    timeout === undefined
      ? undefined
      : clock.after(timeout, () => {
          isLate = true
          giveUp()
        })
  signal?.addEventListener('abort', giveUp, { once: true })
  for (const output of [stdout, stderr]) {
    output.watch(kept => {
      if (isTooMuch || kept <= (outputLimit ?? 0)) return
      isTooMuch = true
      giveUp()
    })
  }
  try {
    const { exitCode } = await ended
    endLeftovers(pid, mark)
    using _rest = afterLastOutput(clock, grace, () => {
      // A process left the group and holds them open.
      child.stdout?.destroy()
      child.stderr?.destroy()
    })
    await Promise.all([stdout.ended, stderr.ended])
    if (signal?.aborted) throw createAbortion(command, signal)
    if (isLate) {
      throw new ReeveError('failed', `${describeCommand(command)} did not end within ${timeout} ms and was stopped`)
    }
    if (isTooMuch) {
      throw new ReeveError('failed', `${describeCommand(command)} wrote more than ${outputLimit} bytes and was stopped`)
    }
    return { exitCode, stdout: stdout.content(), stderr: new TextDecoder().decode(stderr.content()) }
  } finally {
    signal?.removeEventListener('abort', giveUp)
    deadline?.[Symbol.dispose]()
    given?.[Symbol.dispose]()
  }
}

function outputs(limit: number | undefined): ['ignore' | 'pipe', 'ignore' | 'pipe'] {
  return limit === undefined ? ['ignore', 'ignore'] : ['pipe', 'pipe']
}

interface KeptOutput {
  /** Called with the number of bytes whenever some arrive. */
  watch(listener: (kept: number) => void): void
  readonly ended: Promise<void>
  content(): Uint8Array
}

function keepOutput(stream: Readable | null): KeptOutput {
  const chunks: Buffer[] = []
  let kept = 0
  return {
    watch(listener) {
      stream?.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        kept += chunk.byteLength
        listener(kept)
      })
    },
    ended: new Promise(resolve => (stream ? stream.once('close', resolve) : resolve())),
    content: () => Buffer.concat(chunks),
  }
}

interface End {
  readonly exitCode: number
  /** Error of a command that could not be started. */
  readonly error?: unknown
}

/** Not `close`, which waits for whoever has its input open. */
function followEnd(child: ChildProcess): Promise<End> {
  return new Promise(resolve => {
    child.once('error', error => resolve({ exitCode: 127, error }))
    child.once('exit', (code, signal) => {
      child.stdin?.destroy()
      resolve({ exitCode: code ?? exitCodeOfSignal(signal ?? undefined) ?? 1 })
    })
  })
}

/** The leader lives or is an unreaped zombie, so the group's number can't be reused yet. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has just ended.
  }
}
