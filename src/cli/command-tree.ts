import { Argument, Command, Option } from 'commander'
import { describeHelp, exitCodes, printHelp, printVersion, refuseCommand } from './command-help.ts'
import { add, directory, manifests, output, removals, wholeNumber } from './command-parts.ts'
import { completionShells } from './completion-script.ts'
import type { CommandContext, GlobalOptions, Task } from './context.ts'
import { addGlobalOptions } from './global-options.ts'

/** Runs the task of the command that was asked for. */
export type Execute = (globals: GlobalOptions, task: Task) => Promise<void>

const groups = { reconcile: 'Reconcile:', look: 'Look:', act: 'Act on facilities:', other: 'Other:' }

/**
 * All commands with their flags and help. What they do is in src/commands, one module each, loaded only when the command
 * is run: the help, a usage error or the version load none of them.
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

type Run = (command: Command, task: Task) => Promise<void>

function addReconciling(program: Command, run: Run): void {
  program.commandsGroup(groups.reconcile)
  add(program, 'validate', 'parse and check the manifests; needs no supervisor and no root', [
    ['reeve validate', 'check the default manifests directory'],
    ['reeve validate --host', 'on their host: also warn of what services need and this host lacks'],
    ['reeve validate ./manifests -o json', 'the diagnostics for programs'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(output())
    .option('--host', 'also check this host: its users, groups, programs, directories and files')
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/validate.ts')).validate(context, dir, options)),
    )
  add(program, 'plan', 'show what apply would do, and why; writes nothing', [
    ['reeve plan', 'for people'],
    ['reeve plan --brief', 'without the contents of definitions and files'],
    ['reeve plan --detailed-exitcode', 'exit 2 if there are changes, 1 if apply would fail'],
    ['reeve plan --out next.json', 'save it for reeve apply --plan next.json'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(output())
    .option(
      '--detailed-exitcode',
      'exit 0 if all is as declared, 1 after an error or if a facility is blocked, 2 if there are changes or a facility does not stay up',
    )
    .option('--brief', 'steps and reasons only, without the contents of definitions and files')
    .option('--out <FILE>', 'save the plan as JSON')
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/plan.ts')).plan(context, dir, options)),
    )
  add(program, 'apply', 'apply the manifests once and wait until services are healthy', [
    ['reeve apply', 'apply the default manifests directory'],
    ['reeve apply --plan next.json', 'do exactly what was planned; refused if the plan is stale'],
    ['reeve apply --allow-removals 5', 'allow it to remove up to 5 facilities whose manifests are gone'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(output())
    .option('--no-fetch', 'apply the revision in force, without asking the Git repository for a newer one')
    .option('--plan <FILE>', 'a plan that reeve plan --out saved; refused if it no longer fits')
    .addOption(removals())
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/apply.ts')).apply(context, dir, options)),
    )
  add(program, 'run', 'run the controller: reconcile continuously, as a service or a sidecar', [
    ['reeve run', 'until Ctrl-C or SIGTERM; the services go on'],
    ['reeve run /srv/manifests --log-level debug', 'with more detail in the log'],
    ['reeve run --stop-services-on-exit', 'in a container: end the services before it ends'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(removals())
    .option(
      '--stop-services-on-exit',
      'at SIGTERM or Ctrl-C, stop the services of the built-in supervisor first, those that depend on others before those; the next start brings them up again',
    )
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/run.ts')).run(context, dir, options)),
    )
  add(program, 'install', 'run the controller as a service of this host', [
    ['reeve install /srv/manifests', 'and start it, now and at boot'],
    ['reeve install --dry-run', 'show what it would write and do'],
    ['reeve install --supervisor runit', 'under this supervisor'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .option(
      '--supervisor <NAME>',
      "who runs it (default: who runs it already, else the host configuration's default, else the first of systemd, s6, runit and daemontools that answers)",
    )
    .option('--dry-run', 'show the plan, write nothing')
    .option('--adopt', 'take over a service of that name that somebody else made')
    .addOption(removals())
    .addOption(output())
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/install.ts')).install(context, dir, options)),
    )
  add(program, 'uninstall', 'stop and remove the service of the controller; the services go on', [
    ['reeve uninstall', 'asks first'],
    ['reeve uninstall --yes', 'without asking'],
  ])
    .option('--yes', "don't ask for confirmation; required without a terminal")
    .addArgument(directory())
    .addOption(manifests())
    .addOption(output())
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/uninstall.ts')).uninstall(context, dir, options)),
    )
  add(program, 'sync', 'fetch the newest revision of the Git repository now', [
    ['reeve sync', 'as a hook after a push would'],
  ])
    .addOption(output())
    .action((options, command) =>
      run(command, async context => (await import('../commands/sync.ts')).sync(context, options)),
    )
  add(program, 'accept', 'allow a commit whose history was rewritten, or whose tag was moved', [
    ['reeve accept 1a2b3c4d5e6f', 'the commit that reeve status names'],
  ])
    .argument('<COMMIT>', 'at least its first seven digits')
    .addOption(output())
    .action((commit, options, command) =>
      run(command, async context => (await import('../commands/sync.ts')).accept(context, commit, options)),
    )
  add(program, 'down', 'stop and remove what Reeve owns', [
    ['reeve down', 'everything; asks first'],
    ['reeve down web worker --yes', 'only these, without asking'],
  ])
    .argument('[NAME...]', 'facilities (default: all)')
    .option('--yes', "don't ask for confirmation; required without a terminal")
    .addOption(manifests())
    .addOption(output())
    .action((names, options, command) =>
      run(command, async context => (await import('../commands/down.ts')).down(context, names, options)),
    )
}

function addLooking(program: Command, run: Run): void {
  program.commandsGroup(groups.look)
  add(program, 'status', 'show the state, health and conditions of facilities', [
    ['reeve status', 'a table'],
    ['reeve status web', 'details of one facility'],
    ['reeve status --watch', 'refresh it until Ctrl-C'],
    ['reeve status -o json | jq .facilities[].state', 'for programs'],
  ])
    .argument('[NAME]', 'a facility (default: all)')
    .option('-w, --watch', 'keep refreshing until Ctrl-C')
    .addOption(manifests())
    .addOption(output())
    .action((name, options, command) =>
      run(command, async context => (await import('../commands/status.ts')).status(context, name, options)),
    )
  add(program, 'history', 'show what was done, when and why', [
    ['reeve history', 'of all facilities'],
    ['reeve history web -o json', 'of one, as JSON'],
  ])
    .argument('[NAME]', 'a facility (default: all)')
    .addOption(new Option('-n, --limit <N>', 'show only the last N entries').argParser(wholeNumber))
    .addOption(manifests())
    .addOption(output())
    .action((name, options, command) =>
      run(command, async context => (await import('../commands/history.ts')).history(context, name, options)),
    )
  add(program, 'supervisors', 'list supervisors: whether each is available, or why not, and its version', [
    ['reeve supervisors', 'what this host has'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(output())
    .action((dir, options, command) =>
      run(command, async context => (await import('../commands/supervisors.ts')).supervisors(context, dir, options)),
    )
  add(program, 'explain', 'documentation of a field', [
    ['reeve explain', 'the kinds of manifests'],
    ['reeve explain spec.process.restart', 'a field of a facility'],
    ['reeve explain Supervisor.spec', 'a field of another kind'],
  ])
    .argument('[FIELD.PATH]', 'e.g. spec.health')
    .addOption(output())
    .action((path, options, command) =>
      run(command, async context => (await import('../commands/explain.ts')).explain(context, path, options)),
    )
}

const verbs = [
  {
    name: 'start',
    description: 'start facilities (no-op if already running); run the job of a timer or socket now',
    suspend: false,
  },
  { name: 'stop', description: 'stop facilities (no-op if already stopped)', suspend: true },
  { name: 'restart', description: 'restart facilities; start those that are stopped', suspend: false },
  { name: 'reload', description: 'reload the configuration of facilities', suspend: false },
  { name: 'enable', description: 'start facilities at boot', suspend: false },
  { name: 'disable', description: "don't start facilities at boot", suspend: true },
] as const

function addActing(program: Command, run: Run): void {
  program.commandsGroup(groups.act)
  for (const { name: verb, description } of verbs) {
    add(program, verb, description, verbExamples(verb))
      .argument('<NAME...>', 'facilities, one after the other')
      .option('--if-stopped', 'only if it is stopped')
      .option('--if-changed', 'only if its configuration changed since it was read')
      .option('--suspend', "also suspend it, so that the controller doesn't revert this")
      .addOption(manifests())
      .addOption(output())
      .action((names, options, command) =>
        run(command, async context => (await import('../commands/act.ts')).act(context, verb, names, options)),
      )
  }
  add(program, 'suspend', 'stop reconciling facilities: they are observed only, until resumed', [
    ['reeve suspend web', 'until reeve resume web'],
  ])
    .argument('<NAME...>', 'facilities')
    .addOption(manifests())
    .addOption(output())
    .action((names, options, command) =>
      run(command, async context => (await import('../commands/suspend.ts')).suspend(context, names, options)),
    )
  add(program, 'resume', 'resume reconciling facilities', [['reeve resume web', 'what changed meanwhile is corrected']])
    .argument('<NAME...>', 'facilities')
    .addOption(manifests())
    .addOption(output())
    .action((names, options, command) =>
      run(command, async context => (await import('../commands/suspend.ts')).resume(context, names, options)),
    )
}

function verbExamples(verb: string): [string, string][] {
  const example: [string, string] = [`reeve ${verb} web`, 'now, through its supervisor']
  if (verb === 'stop') return [example, ['reeve stop web --suspend', 'and keep the controller from starting it again']]
  if (verb === 'restart')
    return [example, ['reeve restart web --if-changed', 'only if it runs with an old configuration']]
  if (verb === 'start') {
    return [
      example,
      ['reeve start web --if-stopped', 'leave it alone unless it is stopped'],
      ['reeve start backup', 'whose timer waits: run the job now'],
    ]
  }
  return [example]
}

function addOther(program: Command, run: Run, out: CommandContext['out']): void {
  program.commandsGroup(groups.other)
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
  // What the completion scripts call: the words typed so far, the last one unfinished.
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
