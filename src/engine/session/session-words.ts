import type { HostConfiguration } from '../../core/model/host-configuration.ts'

/** Options of a command line that decide the session. */
export interface CommandLineSettings {
  /** `--config FILE`. */
  readonly config?: string
  /** `--state-dir DIR`. */
  readonly stateDir?: string
  /** The DIR argument, or `--manifests DIR`. */
  readonly directory?: string
  readonly insecurePermissions?: boolean
}

/**
 * Options that give a command line the same settings in any working directory: a printed hint must work as it is.
 */
export function sessionWords(
  options: CommandLineSettings,
  { manifests }: Pick<HostConfiguration, 'manifests'>,
  places: { readonly directory: string; readonly config: string; readonly stateDirectory: string },
): string {
  const words: string[] = []
  if (options.directory !== undefined || manifests === undefined) words.push(places.directory)
  if (options.config !== undefined) words.push('--config', places.config)
  if (options.stateDir !== undefined) words.push('--state-dir', places.stateDirectory)
  if (options.insecurePermissions) words.push('--insecure-permissions')
  return words.map(shellWord).join(' ')
}

/** `reeve apply /srv/manifests --state-dir /var/lib/other`. */
export function spellCommand(verb: string, { words }: { readonly words: string }): string {
  return ['reeve', verb, words].filter(word => word !== '').join(' ')
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
