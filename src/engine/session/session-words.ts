import type { HostConfiguration } from '../../core/model/host-configuration.ts'
import type { SessionOptions } from './session.ts'

/**
 * What has to stand on a command line, after `reeve apply`, for it to have the same settings wherever it is typed: a hint must
 * work as it is printed.
 */
export function sessionWords(
  options: SessionOptions,
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
