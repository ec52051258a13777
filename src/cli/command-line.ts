import { CommanderError } from 'commander'
import type { CommandIo, ExitCode } from './command-io.ts'
import { createProgram } from './command-tree.ts'
import { createContext, type GlobalOptions } from './context.ts'
import { errorText } from './error-text.ts'

/** Runs one command line (`argv` without node and script) to its end. Doesn't throw. */
export async function main(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  // Found before parsing, so that help and usage errors honour it too.
  const color = !argv.includes('--no-color')
  const unparsed = createContext(io, {}, color)
  let exitCode: ExitCode = 0
  let debug = false
  const program = createProgram(unparsed, async (globals: GlobalOptions, task) => {
    debug = globals.logLevel === 'debug'
    const context = createContext(io, globals, color)
    try {
      exitCode = await task(context)
    } finally {
      for (const opened of context.opened) opened[Symbol.dispose]()
    }
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    // Commander has written the message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1
    unparsed.err.write(errorText(error, { colors: unparsed.err.colors, debug }))
    return 1
  }
}
