import { Command, Option } from 'commander'
import { addActing } from './act-commands.ts'
import { describeHelp, exitCodes, printVersion, refuseCommand } from './command-help.ts'
import type { CommandContext, GlobalOptions, Task } from './context.ts'
import { addGlobalOptions } from './global-options.ts'
import { addLooking } from './look-commands.ts'
import { addOther } from './other-commands.ts'
import { addReconciling } from './reconcile-commands.ts'

/** Runs the task of the requested command. */
export type Execute = (globals: GlobalOptions, task: Task) => Promise<void>

/**
 * All commands with their flags and help. What they do is in src/commands, one module each, loaded only when its command
 * runs: help, usage errors and the version load none of them.
 */
export function createProgram({ out, err }: Pick<CommandContext, 'out' | 'err'>, execute: Execute): Command {
  const program = new Command('reeve')
    .description('Keeps the services of this host in the state that manifests declare.')
    .option('-v, --version', 'print the version')
    .on('option:version', () => printVersion(out))
    .addOption(new Option('-V').hideHelp())
    .on('option:V', () => printVersion(out))
    .on('command:*', ([name = '']: string[]) => refuseCommand(program, name))
    .helpOption('-h, --help', 'print help, also of a command')
    .helpCommand(false)
    .addHelpText('after', exitCodes)
    .exitOverride()
    .showHelpAfterError('(reeve --help shows the commands)')
    .configureHelp(describeHelp(out.colors))
    .configureOutput({
      writeOut: text => out.write(text),
      writeErr: text => err.write(text),
      getOutHelpWidth: () => out.width() ?? 80,
      getErrHelpWidth: () => err.width() ?? 80,
      getOutHasColors: () => out.colors.isColorSupported,
      getErrHasColors: () => err.colors.isColorSupported,
      outputError: (text, write) => write(text.replace(/^error:/, err.colors.red('reeve:'))),
    })

  addGlobalOptions(program)
  const run = (command: Command, task: Task) => execute(command.optsWithGlobals(), task)
  addReconciling(program, run)
  addLooking(program, run)
  addActing(program, run)
  addOther(program, run, out)
  return program
}
