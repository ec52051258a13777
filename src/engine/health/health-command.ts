import type { ProbeHost } from '../../core/contracts/host.ts'
import { createDictionary } from '../../core/dictionary.ts'
import type { Process } from '../../core/model/facility.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { ProbeResult } from './probe-result.ts'

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface HealthCommandOptions {
  readonly process: Process | undefined
  readonly host: ProbeHost
  /** Timeout in ms. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/**
 * Health probe by a command, which is healthy if it exits with 0. It has no more rights than the service: it runs as the service's user,
 * in its working directory, with its declared variables and none of Reeve's; and leaves no process behind. Secrets
 * (`fromFile`) and environment files are not read for it.
 */
export async function probeByCommand(
  command: readonly string[],
  { process, host, timeout, signal }: HealthCommandOptions,
): Promise<ProbeResult> {
  const limits = { timeout, signal }
  const own = declaredVariables(process)
  const identity = identityOf(process, host)
  const directory = process?.workingDirectory
  const account = accountVariables(process, host)
  const run = identity
    ? // Until the change of user, root must neither be steered by the service's variables nor enter its directories.
      host.runContained([...identity, '/bin/sh', '-c', entry, 'sh', ...command], {
        ...limits,
        environment: account,
        directory: '/',
        input: exportLines(own) + (directory === undefined ? '' : `cd ${quoteWord(directory)} || exit 1\n`),
      })
    : host.runContained(command, {
        ...limits,
        environment: { ...account, ...createDictionary(own) },
        ...(directory === undefined ? {} : { directory }),
      })
  const { exitCode } = await run
  return exitCode === 0 ? { healthy: true } : { healthy: false, message: `the health command exited ${exitCode}` }
}

/** Variables as text on the stdin of the shell, which the command doesn't get: every user can read command lines. */
const entry = 'eval "$(cat)"; exec "$@" </dev/null'

/** Command prefix that changes to the service's user; undefined if there is nothing to change. */
function identityOf(process: Process | undefined, host: ProbeHost): string[] | undefined {
  if (host.userId() !== 0 || (process?.user === undefined && process?.group === undefined)) return undefined
  const user = process.user === undefined ? undefined : host.findUser(process.user)
  if (process.user !== undefined && !user) throw new ReeveError('failed', `there is no user ${process.user}`)
  const gid = process.group === undefined ? user?.gid : host.findGroup(process.group)
  if (gid === undefined) throw new ReeveError('failed', `there is no group ${process.group}`)
  const identity = user
    ? [`--reuid=${user.uid}`, `--regid=${gid}`, '--init-groups']
    : [`--regid=${gid}`, '--clear-groups']
  return ['setpriv', ...identity, '--']
}

function accountVariables(process: Process | undefined, host: ProbeHost): Record<string, string> {
  const name = process?.user
  const user = name === undefined ? undefined : host.findUser(name)
  if (name === undefined || !user) return { PATH: standardPath }
  return { PATH: standardPath, HOME: user.home, USER: name, LOGNAME: name, SHELL: user.shell }
}

function declaredVariables(process: Process | undefined): Map<string, string> {
  const declared = Object.entries(process?.environment ?? {})
  return new Map(declared.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}

/** Variables that are read-only in bash, which may be the host's sh. */
const readOnlyNames: ReadonlySet<string> = new Set(['PPID', 'UID', 'EUID', 'SHELLOPTS', 'BASHOPTS', 'BASH_VERSINFO'])

function exportLines(variables: ReadonlyMap<string, string>): string {
  const settable = [...variables].filter(([name]) => !readOnlyNames.has(name))
  return settable.map(([name, value]) => `export ${name}=${quoteWord(value)}\n`).join('')
}

/** Quotes any text as one word for a POSIX shell (S2). */
function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
