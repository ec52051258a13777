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
 * `hasDirectory`: an option or the host configuration says where the manifests are.
 */
export function sessionWords(
  options: CommandLineSettings,
  hasDirectory: boolean,
  places: { readonly directory: string; readonly config: string; readonly stateDirectory: string },
): string {
  const words: string[] = []
  if (options.directory !== undefined || !hasDirectory) words.push(places.directory)
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
