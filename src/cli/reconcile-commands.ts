import { type Command, Option } from 'commander'
import { add, directory, duration, manifests, output, planOutput, type Run, removals } from './command-parts.ts'

export function addReconciling(program: Command, run: Run): void {
  program.commandsGroup('Reconcile:')
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
    ['reeve plan --revision fix-web', 'what this branch of the Git repository would do here'],
    ['reeve plan --against revision:main', 'in a checkout: what it changes, without a host'],
    ['reeve plan --against revision:main -o markdown', 'the same, as a comment on a pull request'],
  ])
    .addArgument(directory())
    .addOption(manifests())
    .addOption(planOutput())
    .option(
      '--detailed-exitcode',
      'exit 0 if all is as declared, 1 after an error or if a facility is blocked, 2 if there are changes or a facility does not stay up',
    )
    .option('--brief', 'steps and reasons only, without the contents of definitions and files')
    .option('--out <FILE>', 'save the plan as JSON')
    .option(
      '--revision <REV>',
      'plan this commit, branch or tag of the Git repository that the host follows, or of the checkout that DIR is in',
    )
    .option('--source <URL#REF[:PATH]>', 'plan this commit, branch or tag of any Git repository')
    .option(
      '--against <revision:REV>',
      'compare with another commit of that repository, for the host of --config, in place of looking at this host',
    )
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
  add(program, 'bootstrap', 'have this host follow a Git repository: access, host configuration, controller', [
    ['reeve bootstrap git@example.org:hosts.git --path shop', 'with a new deploy key'],
    ['reeve bootstrap https://example.org/hosts.git --token-file token', 'with a token'],
    ['reeve bootstrap /srv/git/hosts.git --dry-run', 'show what it would write and do'],
  ])
    .argument('<URL>', 'https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or a directory (/PATH, ./PATH)')
    .option(
      '--branch <NAME>',
      "the branch to follow (default: the repository's default branch, also after it was renamed)",
    )
    .option('--path <DIR>', "the directory of this host's manifests in the repository (default: its top)")
    .option('--token-file <FILE>', 'for https: a file that holds a token, or NAME:TOKEN')
    .option(
      '--known-hosts <FILE>',
      "for ssh: a file with the server's host key (default: the key is shown, and recorded once you trust it)",
    )
    .option(
      '--accept-host-key <FINGERPRINT>',
      'for ssh: trust the host key with this fingerprint, SHA256:…, without asking',
    )
    .option(
      '--signers <FILE>',
      'apply only commits that are signed by keys of this file, in the form of allowed_signers',
    )
    .option('--supervisor <NAME>', 'who runs the controller (default: see reeve install)')
    .addOption(
      new Option(
        '--timeout <DURATION>',
        'how long to wait for the repository, and then for healthy services (default: 10m)',
      )
        .argParser(duration)
        .default(600_000),
    )
    .option('--dry-run', 'show what would be written and done; asks no repository')
    .action((url, options, command) =>
      run(command, async context => (await import('../commands/bootstrap.ts')).bootstrap(context, url, options)),
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
    ['reeve sync --wait', 'and wait until it is healthy; exit 1 if it is rolled back'],
    ['reeve sync --retry', 'also try again what has failed on this host'],
  ])
    .option('--wait', 'wait until it is known what becomes of the revision')
    .option('--retry', 'try a revision that has failed on this host again')
    .addOption(output())
    .action((options, command) =>
      run(command, async context => (await import('../commands/sync.ts')).sync(context, options)),
    )
  add(program, 'rollback', 'put a former revision into force, and keep it there until reeve sync', [
    ['reeve rollback', 'the newest that was healthy before the one in force'],
    ['reeve rollback 1a2b3c4d5e6f', 'one that reeve revisions lists'],
  ])
    .argument('[REVISION]', 'a commit: at least its first seven digits')
    .addOption(output())
    .action((revision, options, command) =>
      run(command, async context => (await import('../commands/revisions.ts')).rollback(context, revision, options)),
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
