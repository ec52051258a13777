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
  /** User that runs it. Absent: Reeve's user. */
  readonly user?: string
  readonly group?: string
  /** Groups besides those of the user. */
  readonly moreGroups?: readonly string[]
  readonly workingDirectory?: string
  readonly output?: string
  /** Files that hold the values of variables. */
  readonly secrets: readonly { readonly variable: string; readonly path: string }[]
  /** Files of `KEY=value` lines: any other line makes the start fail. */
  readonly environmentFiles: readonly string[]
  /** Other files that must exist. `what`: `environment file`. `remedy`: what to do if one is missing. */
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
