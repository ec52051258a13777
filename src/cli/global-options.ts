import { type Command, Option } from 'commander'
import { logFormats, logLevels } from './logger.ts'

/** Options of every command, before the command's name or after it. */
export function addGlobalOptions(program: Command): void {
  program
    .option(
      '--config <FILE>',
      'host configuration (default: /etc/reeve/reeve.yaml for root, else XDG_CONFIG_HOME/reeve/reeve.yaml, where there is one)',
    )
    .option('--state-dir <DIR>', 'state directory (default: /var/lib/reeve for root, else XDG_STATE_HOME/reeve)')
    .addOption(
      new Option('--log-level <LEVEL>', 'log from this level on: debug, info, warn, error or silent').choices(
        logLevels,
      ),
    )
    .addOption(
      new Option(
        '--log-format <FORMAT>',
        'log as text, json or logfmt (default: text; in a pipe, reeve run logs json)',
      ).choices(logFormats),
    )
    .option('--no-color', 'disable colours; NO_COLOR and FORCE_COLOR are also honoured')
    .option('--insecure-permissions', 'as root, accept manifests and configuration that others can write')
}
