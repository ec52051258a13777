/**
 * What Reeve's environment has that its tools need: where programs, configuration and sockets are found, and how times are
 * written. Tokens and keys that Reeve was started with are none of their business.
 */
const passedOn = [
  'PATH',
  'HOME',
  'TZ',
  'XDG_RUNTIME_DIR',
  'XDG_CONFIG_HOME',
  'XDG_CONFIG_DIRS',
  'XDG_DATA_HOME',
  'XDG_DATA_DIRS',
] as const

/** The environment of a program that Reeve runs for itself, but for what the caller adds. */
export function toolEnvironment(inherited: Readonly<Record<string, string | undefined>>): Record<string, string> {
  // Messages are compared and logged, so they must not depend on the user's language.
  const environment: Record<string, string> = { LC_ALL: 'C' }
  for (const name of passedOn) {
    const value = inherited[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}
