import type { ProbeHost } from '../../core/contracts/host.ts'
import { createDictionary } from '../../core/dictionary.ts'
import type { Process } from '../../core/model/facility.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { ProbeResult } from './probe-result.ts'

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface HealthCommandOptions {
  readonly process: Process | undefined
  readonly host: ProbeHost
  /** In ms. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/**
 * Healthy: it exits 0. It may do no more than the service itself: it runs as the service's user, in its working directory,
 * with the variables that the manifest declares for it and nothing of Reeve's own; and it leaves nothing behind. Secrets
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
    ? // What runs as root up to here must not be steered by the service's variables, nor enter its directories.
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

/** On the command line every user would see the values; so they come as text on stdin, which the command doesn't get. */
const entry = 'eval "$(cat)"; exec "$@" </dev/null'

/** How a process becomes that of the service's user; undefined where it is already, or there is no other. */
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

/** Of bash, where it is the host's sh: to set them is an error. */
const readOnlyNames: ReadonlySet<string> = new Set(['PPID', 'UID', 'EUID', 'SHELLOPTS', 'BASHOPTS', 'BASH_VERSINFO'])

function exportLines(variables: ReadonlyMap<string, string>): string {
  const settable = [...variables].filter(([name]) => !readOnlyNames.has(name))
  return settable.map(([name, value]) => `export ${name}=${quoteWord(value)}\n`).join('')
}

/** One word for any POSIX shell, whatever is in it (S2). */
function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
