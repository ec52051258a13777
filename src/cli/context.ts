import type { Log } from '../core/contracts/log.ts'
import type { Session } from '../engine/session/session.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { createLog, type LogLevel } from './logger.ts'
import type { NamedDirectory } from './named-directory.ts'
import { createScreen, type Screen } from './screen.ts'
import { createMark } from './styled-text.ts'

/** The flags that every command takes. */
export interface GlobalOptions {
  readonly config?: string
  readonly stateDir?: string
  readonly logLevel?: LogLevel
  readonly insecurePermissions?: boolean
}

/** What a command gets to work with. */
export interface CommandContext {
  readonly io: CommandIo
  /** stdout: the answer. */
  readonly out: Screen
  /** stderr: all else. */
  readonly err: Screen
  readonly globals: GlobalOptions
}

/** What a command does; gives the exit code. */
export type Task = (context: CommandContext) => Promise<ExitCode>

export function createContext(io: CommandIo, globals: GlobalOptions, color: boolean): CommandContext {
  const wish = { color, env: io.env }
  const mark = createMark()
  return { io, globals, out: createScreen(io.stdout, wish, mark), err: createScreen(io.stderr, wish, mark) }
}

/** The log of a command that logs from `level` on unless `--log-level` says otherwise. */
export function openLog(context: CommandContext, level: LogLevel, screen: Screen = context.err): Log {
  return createLog(context.globals.logLevel ?? level, screen)
}

export async function openCommandSession(
  context: CommandContext,
  directory: NamedDirectory | undefined,
  log: Log = openLog(context, 'warn'),
): Promise<Session> {
  // The commands load of the engine what they use: all of it takes longer than most commands do.
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
  })
  // Not sooner: a saved plan may have come by one (`--plan <(…)`).
  io.closeInheritedDescriptors()
  return session
}

export type OutputFormat = 'text' | 'json'

/** Indented JSON and a newline: the same value gives the same bytes. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
