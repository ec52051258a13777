import { Readable } from 'node:stream'
import type { CommandIo } from '../../../src/cli/command-io.ts'
import { main } from '../../../src/cli/command-line.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

export interface Outcome {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line in this process. Streams are terminals only where `terminal` says so. */
export async function runCommandLine(
  argv: readonly string[],
  options: { readonly env?: Record<string, string>; readonly terminal?: boolean } = {},
): Promise<Outcome> {
  const written = { stdout: '', stderr: '' }
  const exitCode = await main(argv, fakeIo(written, options))
  return { exitCode, ...written }
}

/** Appends everything written to its streams to `written`. */
export function fakeIo(
  written: { stdout: string; stderr: string },
  options: { readonly env?: Record<string, string>; readonly terminal?: boolean } = {},
): CommandIo {
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: options.terminal === true,
    write: (text: string) => {
      written[name] += text
    },
  })
  return {
    stdin: Readable.from([]),
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stderrKind: () => (options.terminal === true ? 'terminal' : 'pipe'),
    env: options.env ?? {},
    cwd: process.cwd(),
    program: [process.execPath, '/nowhere/reeve.js'],
    clock: createManualClock(),
    stdoutClosed: new AbortController().signal,
    onSignal: () => ({ [Symbol.dispose]() {} }),
    onHangup: () => ({ [Symbol.dispose]() {} }),
    closeInheritedDescriptors() {},
    exit: code => {
      throw new Error(`exit ${code}`)
    },
  }
}
