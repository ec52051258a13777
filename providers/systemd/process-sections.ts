import type { Process, SecretReference } from '../../src/core/facility.ts'
import { escapeSpecifiers, findPlainProblem, quoteCommand, quoteWord } from './quoting.ts'
import type { Sections } from './unit-file.ts'

export interface Problem {
  /** Below `spec`: `process.umask`. */
  readonly field: string
  readonly message: string
}

/** `spec.process.restart.policy` in systemd's words. */
const restartPolicies = { always: 'always', 'on-failure': 'on-failure', never: 'no' } as const

/** Brings variables that are to have the last word. */
export const variablesProgram = '/usr/bin/env'

/** Has the shell read secrets where systemd keeps them for this service alone, and then be the program. */
export const secretScript = `while [ "$1" != -- ]; do
value=$(cat "$CREDENTIALS_DIRECTORY/$1") || exit
export "$1=$value"
shift
done
shift
exec "$@"`

/** A unit for `spec.process`, without what Reeve adds for itself. */
export function processSections(process: Process, facility: string): { sections: Sections; problems: Problem[] } {
  const problems: Problem[] = []
  const plain = (field: string, value: string): string => {
    const message = findPlainProblem(value)
    if (message !== undefined) problems.push({ field: `process.${field}`, message })
    return escapeSpecifiers(value)
  }
  const { workingDirectory, user, group, umask, restart, stop, reload, output } = process
  const service: Record<string, readonly string[]> = { Type: ['exec'], ExecStart: [startCommand(process)] }
  if (workingDirectory !== undefined) service.WorkingDirectory = [plain('workingDirectory', workingDirectory)]
  if (user !== undefined) service.User = [plain('user', user)]
  if (group !== undefined) service.Group = [plain('group', group)]
  if (umask !== undefined) service.UMask = [umask.toString(8).padStart(4, '0')]
  const { variables, secrets } = splitEnvironment(process)
  checkVariables(variables, problems)
  if (process.environmentFiles.length === 0) service.Environment = variables.map(quoteWord)
  service.EnvironmentFile = process.environmentFiles.map(path => escapeGlob(plain('environmentFiles', path)))
  service.LoadCredential = secrets.map(([name, { fromFile }]) => `${name}:${plain(`environment.${name}`, fromFile)}`)
  for (const [name, limit] of Object.entries(process.limits).sort()) {
    service[`Limit${name.toUpperCase()}`] = [limit === 'unlimited' ? 'infinity' : String(limit)]
  }
  service.Restart = [restartPolicies[restart.policy]]
  service.RestartSec = [`${restart.delay}ms`]
  // What ends for good stays to be seen: systemd forgets a unit that is merely inactive.
  if (restart.policy !== 'always') service.RemainAfterExit = ['yes']
  service.KillSignal = [`SIG${stop.signal}`]
  // 0 would be: for ever.
  service.TimeoutStopSec = [`${Math.max(stop.timeout, 1)}ms`]
  if (reload) service.ExecReload = [reloadCommand(reload)]
  if (output) {
    const target = `append:${plain('output.file', output.file)}`
    service.StandardOutput = [target]
    service.StandardError = [target]
  }
  // `always` is to mean always: not five times in ten seconds.
  return { sections: { Unit: { Description: [facility], StartLimitIntervalSec: ['0'] }, Service: service }, problems }
}

type Secrets = readonly (readonly [string, SecretReference])[]

function splitEnvironment({ environment }: Process): { variables: string[]; secrets: Secrets } {
  const variables: string[] = []
  const secrets: [string, SecretReference][] = []
  for (const [name, value] of Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (typeof value === 'string') variables.push(`${name}=${value}`)
    else secrets.push([name, value])
  }
  return { variables, secrets }
}

function checkVariables(variables: readonly string[], problems: Problem[]): void {
  for (const variable of variables) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what systemd drops
    if (!/[\x01-\x08\x0b-\x1f\x7f]/.test(variable)) continue
    const [name] = variable.split('=')
    problems.push({ field: `process.environment.${name}`, message: 'systemd takes no control characters here' })
  }
}

/** systemd lets files override variables; here a variable of the manifest has the last word. */
function startCommand(process: Process): string {
  const { variables, secrets } = splitEnvironment(process)
  const command =
    process.environmentFiles.length > 0 && variables.length > 0
      ? [variablesProgram, ...variables, ...process.command]
      : process.command
  if (secrets.length === 0) return quoteCommand(command)
  return quoteCommand(['/bin/sh', '-c', secretScript, 'reeve', ...secrets.map(([name]) => name), '--', ...command])
}

/** Here the variable is systemd's own. */
function reloadCommand(reload: NonNullable<Process['reload']>): string {
  return 'signal' in reload ? `/bin/kill -s ${reload.signal} $MAINPID` : quoteCommand(reload.command)
}

/** EnvironmentFile= takes patterns. */
function escapeGlob(path: string): string {
  return path.replace(/[\\*?[]/g, '\\$&')
}
