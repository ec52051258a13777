import { fstatSync, realpathSync } from 'node:fs'
import type { SessionOptions } from '../engine/session/session.ts'
import { type Clock, createClock } from '../host/clock.ts'
import { closeInheritedDescriptors } from '../host/inherited-descriptors.ts'

/** The surroundings of a command line: streams, environment, clock and signals. Tests and harnesses bring their own. */
export interface CommandIo {
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Kind of stderr: decides the log's format. */
  stderrKind(): StreamKind
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The command line of this program without its arguments: Node and the script, absolute, symlinks resolved. */
  readonly program: readonly [node: string, script: string]
  readonly clock: Clock
  /** Hosts of a harness, e.g. one that ends the process between two effects. */
  readonly hosts?: Pick<SessionOptions, 'createReadHost' | 'createWriteHost'>
  /** Aborted when nobody reads stdout any more (`reeve status --watch | head`). */
  readonly stdoutClosed: AbortSignal
  /** Calls back at every SIGINT and SIGTERM until disposed; without a listener they end the process. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): Disposable
  /** Calls back at every SIGHUP until disposed. At a terminal nobody is called, and it ends the process: the terminal has gone. */
  onHangup(listener: () => void): Disposable
  /** Closes inherited descriptors, so that no started process has them. */
  closeInheritedDescriptors(): void
  /** Ends the process at once: only for people who can't wait for a clean end. */
  exit(code: number): void
}

/** `pipe`: everything else. */
export type StreamKind = 'terminal' | 'journal' | 'file' | 'pipe'

export interface OutputStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export type InputStream = NodeJS.ReadableStream & { readonly isTTY?: boolean }

/** 2 only with `--detailed-exitcode`: not all is as declared. */
export type ExitCode = 0 | 1 | 2

/** The surroundings of this process. A reader that goes away (`| head`) is no error. */
export function processIo(): CommandIo {
  const closed = new AbortController()
  ignoreBrokenPipe(process.stdout, () => closed.abort())
  ignoreBrokenPipe(process.stderr, () => {})
  return {
    // A getter, as Node opens stdin on first use, and only one command asks.
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    stderrKind,
    env: process.env,
    cwd: process.cwd(),
    get program() {
      return [process.execPath, realpathSync(process.argv[1] ?? '')] as const
    },
    clock: createClock(),
    stdoutClosed: closed.signal,
    onSignal,
    onHangup,
    closeInheritedDescriptors,
    exit: code => process.exit(code),
  }
}

/** JOURNAL_STREAM names the journal's stream; a process with another stderr may have inherited the variable. */
function stderrKind(): StreamKind {
  if (process.stderr.isTTY) return 'terminal'
  const facts = fstatSync(2, { bigint: true })
  if (process.env.JOURNAL_STREAM === `${facts.dev}:${facts.ino}`) return 'journal'
  return facts.isFile() ? 'file' : 'pipe'
}

function onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): Disposable {
  const interrupted = () => listener('SIGINT')
  const terminated = () => listener('SIGTERM')
  process.on('SIGINT', interrupted)
  process.on('SIGTERM', terminated)
  return {
    [Symbol.dispose]() {
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', terminated)
    },
  }
}

function onHangup(listener: () => void): Disposable {
  if (process.stdin.isTTY) return { [Symbol.dispose]() {} }
  process.on('SIGHUP', listener)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', listener) }
}

function ignoreBrokenPipe(stream: NodeJS.WriteStream, onClosed: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    onClosed()
  })
}
