import type { Command } from 'commander'
import { add, type Examples, manifests, output, type Run } from './command-parts.ts'

interface Verb {
  readonly name: 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable'
  readonly description: string
  /** Besides the plain one. */
  readonly examples?: Examples
}

const verbs: readonly Verb[] = [
  {
    name: 'start',
    description: 'start facilities (no-op if already running); run the job of a timer or socket now',
    examples: [
      ['reeve start web --if-stopped', 'leave it alone unless it is stopped'],
      ['reeve start backup', 'whose timer waits: run the job now'],
    ],
  },
  {
    name: 'stop',
    description: 'stop facilities (no-op if already stopped)',
    examples: [['reeve stop web --suspend', 'and keep the controller from starting it again']],
  },
  {
    name: 'restart',
    description: 'restart facilities; start those that are stopped',
    examples: [['reeve restart web --if-changed', 'only if it runs with an old configuration']],
  },
  { name: 'reload', description: 'reload the configuration of facilities' },
  { name: 'enable', description: 'start facilities at boot' },
  { name: 'disable', description: "don't start facilities at boot" },
]

export function addActing(program: Command, run: Run): void {
  program.commandsGroup('Act on facilities:')
  for (const { name: verb, description, examples = [] } of verbs) {
    add(program, verb, description, [[`reeve ${verb} web`, 'now, through its supervisor'], ...examples])
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
