import { Argument, type Command } from 'commander'
import { printHelp, printVersion } from './command-help.ts'
import { add, type Run } from './command-parts.ts'
import { completionShells } from './completion-script.ts'
import type { CommandContext } from './context.ts'

export function addOther(program: Command, run: Run, out: CommandContext['out']): void {
  program.commandsGroup('Other:')
  add(program, 'completion', 'print the completion script of a shell', [
    ['source <(reeve completion bash)', 'for this shell, or in ~/.bashrc'],
    ['source <(reeve completion zsh)', 'likewise, or in ~/.zshrc'],
    ['reeve completion fish > ~/.config/fish/completions/reeve.fish', 'for every fish'],
  ])
    .addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices(completionShells))
    .action((shell, _options, command) =>
      run(command, async context => (await import('../commands/completion.ts')).completion(context, shell)),
    )
  add(program, 'create-provider', 'write a provider for another kind of supervisor, to go on from', [
    ['reeve create-provider ./reeve-provider-finit', 'of type finit; it works at once, for a tiny supervisor'],
    ['reeve create-provider ./mine --type finit', 'in a directory of another name'],
  ])
    .argument('<DIR>', 'a new or empty directory')
    .option('--type <TYPE>', "the type in manifests (default: the directory's name, without reeve-provider-)")
    .action((dir, options, command) =>
      run(command, async context =>
        (await import('../commands/create-provider.ts')).createProvider(context, dir, options),
      ),
    )
  // Called by the completion scripts with the words typed so far, the last one unfinished.
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action((words, _options, command) =>
      run(command, async context => (await import('../commands/completion.ts')).complete(context, program, words)),
    )
  program
    .command('version')
    .description('print the version')
    .action(() => printVersion(out))
  program
    .command('help')
    .description('print the help of a command')
    .argument('[COMMAND]')
    .action(name => printHelp(program, name))
}
