import { type Command, Option } from 'commander'
import { add, directory, manifests, output, type Run, wholeNumber } from './command-parts.ts'

export function addLooking(program: Command, run: Run): void {
  program.commandsGroup('Look:')
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
  add(program, 'revisions', 'list the revisions that were tried on this host, and what became of them', [
    ['reeve revisions', 'the newest first; * is in force'],
    ['reeve revisions 1a2b3c4', 'one, with its plan, steps and times'],
  ])
    .argument('[REVISION]', 'a commit, or how it begins')
    .addOption(output())
    .action((revision, options, command) =>
      run(command, async context => (await import('../commands/revisions.ts')).revisions(context, revision, options)),
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
