import type { Process } from './facility.ts'

/**
 * What this host has to have so that a start of a service can succeed, in no supervisor's words. Paths are absolute, and as the
 * service sees them. What can't be known is left out: then nothing is said of it.
 */
export interface StartNeeds {
  /** A path, or a name that is looked for; a path that is relative is one from the working directory. */
  readonly program?: string
  /** The directories in which the name is looked for. Absent: the usual ones. */
  readonly searchPath?: readonly string[]
  /** The first line of the script that is run, where it stands in the definition. */
  readonly firstLine?: string
  /** Absent: whoever runs Reeve. */
  readonly user?: string
  readonly group?: string
  /** Names of groups besides those that the user has. */
  readonly moreGroups?: readonly string[]
  readonly workingDirectory?: string
  readonly output?: string
  /** Files that hold the values of variables. */
  readonly secrets: readonly { readonly variable: string; readonly path: string }[]
  /** With lines of `KEY=value`: others make the start fail. */
  readonly environmentFiles: readonly string[]
  /** Other files that have to be there, whatever is in them. `what`: `environment file`. `remedy`: what to do where there is none. */
  readonly files?: readonly { readonly what: string; readonly path: string; readonly remedy?: string }[]
}

export function startNeedsOf({
  command,
  user,
  group,
  workingDirectory,
  output,
  environment,
  ...more
}: Process): StartNeeds {
  const [program] = command
  const { PATH } = environment
  const secrets = Object.entries(environment).flatMap(([variable, value]) =>
    typeof value === 'string' ? [] : [{ variable, path: value.fromFile }],
  )
  return {
    ...(program !== undefined && { program }),
    ...(typeof PATH === 'string' && { searchPath: PATH.split(':') }),
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(output && { output: output.file }),
    secrets,
    environmentFiles: more.environmentFiles,
  }
}
