import type { Process } from '../../../src/core/model/facility.ts'
import { inputKeys, splitEnvironment } from './process-inputs.ts'
import { escapeSpecifiers, findPlainProblem, quoteCommand } from './quoting.ts'
import { reloadSignalCommand } from './reload-signal.ts'
import type { Sections } from './unit-file.ts'

export interface Problem {
  /** Below `spec`: `process.umask`. */
  readonly field: string
  readonly message: string
}

/** `spec.process.restart.policy` in systemd's terms. */
const restartPolicies = { always: 'always', 'on-failure': 'on-failure', never: 'no' } as const

/**
 * Sections for `spec.process`, without Reeve's own additions. `servicePaths`: see `Provider.render`. `isTriggered`: a timer
 * or socket starts it.
 */
export function processSections(
  process: Process,
  facility: string,
  servicePaths: ReadonlySet<string>,
  { isTriggered = false }: { readonly isTriggered?: boolean } = {},
): { sections: Sections; problems: Problem[] } {
  const problems: Problem[] = []
  const plain = (field: string, value: string): string => {
    const message = findPlainProblem(value)
    if (message !== undefined) problems.push({ field: `process.${field}`, message })
    return escapeSpecifiers(value)
  }
  const { workingDirectory, user, group, umask, restart, stop, reload, output } = process
  const inputs = inputKeys(process, servicePaths)
  const service: Record<string, readonly string[]> = { Type: ['exec'], ExecStart: inputs.ExecStart ?? [] }
  if (workingDirectory !== undefined) service.WorkingDirectory = [plain('workingDirectory', workingDirectory)]
  if (user !== undefined) service.User = [plain('user', user)]
  if (group !== undefined) service.Group = [plain('group', group)]
  if (umask !== undefined) service.UMask = [umask.toString(8).padStart(4, '0')]
  const { variables, secrets } = splitEnvironment(process)
  checkVariables(variables, problems)
  for (const path of process.environmentFiles) plain('environmentFiles', path)
  for (const [name, path] of secrets) plain(`environment.${name}`, path)
  if (output) plain('output.file', output.file)
  for (const key of ['Environment', 'EnvironmentFile', 'LoadCredential']) service[key] = inputs[key] ?? []
  for (const [name, limit] of Object.entries(process.limits).sort()) {
    service[`Limit${name.toUpperCase()}`] = [limit === 'unlimited' ? 'infinity' : String(limit)]
  }
  service.Restart = [restartPolicies[restart.policy]]
  service.RestartSec = [`${restart.delay}ms`]
  // A unit that ends for good remains visible: systemd forgets one that is merely inactive. An activated unit would never be
  // started again, and is remembered for as long as its timer or socket exists.
  if (restart.policy !== 'always' && !isTriggered) service.RemainAfterExit = ['yes']
  service.KillSignal = [`SIG${stop.signal}`]
  // 0 would mean: for ever.
  service.TimeoutStopSec = [`${Math.max(stop.timeout, 1)}ms`]
  if (reload) service.ExecReload = [reloadCommand(reload)]
  for (const key of ['StandardOutput', 'StandardError']) service[key] = inputs[key] ?? []
  // `always` is to mean always: not five times in ten seconds.
  return { sections: { Unit: { Description: [facility], StartLimitIntervalSec: ['0'] }, Service: service }, problems }
}

function checkVariables(variables: readonly (readonly [string, string])[], problems: Problem[]): void {
  for (const [name, value] of variables) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what systemd drops
    if (!/[\x01-\x08\x0b-\x1f\x7f]/.test(value)) continue
    problems.push({ field: `process.environment.${name}`, message: 'systemd takes no control characters here' })
  }
}

/** Here the variable is systemd's own. */
function reloadCommand(reload: NonNullable<Process['reload']>): string {
  return 'signal' in reload ? reloadSignalCommand(reload.signal) : quoteCommand(reload.command)
}
