import type { Log } from '../core/contracts/log.ts'
import type { Session, SessionOptions } from '../engine/session/session.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { createLog, type LogFormat, type LogLevel } from './logger.ts'
import type { NamedDirectory } from './named-directory.ts'
import { createScreen, type Screen } from './screen.ts'
import { createMark } from './styled-text.ts'

/** The flags that every command takes. */
export interface GlobalOptions {
  readonly config?: string
  readonly stateDir?: string
  readonly logLevel?: LogLevel
  readonly logFormat?: LogFormat
  readonly insecurePermissions?: boolean
}

/** Surroundings, screens and flags of one command. */
export interface CommandContext {
  readonly io: CommandIo
  /** stdout: the answer. */
  readonly out: Screen
  /** stderr: all else. */
  readonly err: Screen
  readonly globals: GlobalOptions
  /** Resources to dispose of when the command has ended. */
  readonly opened: Disposable[]
}

/** What a command does; gives the exit code. */
export type Task = (context: CommandContext) => Promise<ExitCode>

export function createContext(io: CommandIo, globals: GlobalOptions, color: boolean): CommandContext {
  const wish = { color, env: io.env }
  const mark = createMark()
  return { io, globals, opened: [], out: createScreen(io.stdout, wish, mark), err: createScreen(io.stderr, wish, mark) }
}

export interface LogDefaults {
  readonly level: LogLevel
  /** For pipes; all else gets text. Default: text, as the lines stand among those of the command. */
  readonly piped?: LogFormat
  /** Default: stderr. */
  readonly screen?: Screen
}

/** The log of a command, as `--log-level` and `--log-format` say. */
export function openLog(context: CommandContext, { level, piped = 'text', screen = context.err }: LogDefaults): Log {
  const { globals, io } = context
  const options = {
    level: globals.logLevel ?? level,
    format: () => globals.logFormat ?? (io.stderrKind() === 'pipe' ? piped : 'text'),
    kind: io.stderrKind,
  }
  return createLog(options, screen)
}

export async function openCommandSession(
  context: CommandContext,
  directory: NamedDirectory | undefined,
  log: Log = openLog(context, { level: 'warn' }),
  more: Pick<SessionOptions, 'configurationText' | 'isElsewhere'> = {},
): Promise<Session> {
  // Commands load only the parts of the engine that they use: loading all takes longer than most commands run.
  const { openSession } = await import('../engine/session/session.ts')
  const { globals, io } = context
  const session = await openSession({
    ...(globals.config !== undefined && { config: globals.config }),
    ...(globals.stateDir !== undefined && { stateDir: globals.stateDir }),
    ...(globals.insecurePermissions !== undefined && { insecurePermissions: globals.insecurePermissions }),
    ...(directory !== undefined && { directory: directory.path, directoryOrigin: directory.origin }),
    env: io.env,
    cwd: io.cwd,
    clock: io.clock,
    ...io.hosts,
    log,
    ...more,
  })
  context.opened.push(session)
  // Not sooner: a saved plan may be read from an inherited descriptor (`--plan <(…)`).
  io.closeInheritedDescriptors()
  return session
}

export type OutputFormat = 'text' | 'json'

/** Options of a command that answers in either format, about a manifests directory. */
export interface AnswerOptions {
  readonly output: OutputFormat
  readonly manifests?: string
}

/** Indented JSON and a newline: the same value gives the same bytes. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
