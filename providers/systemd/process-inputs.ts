import type { Process } from '../../src/core/facility.ts'
import { nullDevice } from '../../src/host/service-paths.ts'
import { isPlainVariable } from '../posix/environment-names.ts'
import { type ExecWrapper, type VariableSource, wrapExecution } from '../posix/exec-wrapper.ts'
import { escapeSpecifiers, quoteCommand, quoteWord } from './quoting.ts'

/**
 * `[Service]` as far as a process gets its variables and its output by it.
 *
 * systemd opens and reads as root what only root can lead elsewhere. The rest, `servicePaths`, the service's user opens and reads in
 * the exec wrapper (S8), which also brings variables that are to win over files. A process that needs neither has no wrapper.
 */
export function inputKeys(
  process: Process,
  servicePaths: ReadonlySet<string>,
): Readonly<Record<string, readonly string[]>> {
  const { environmentFiles, output } = process
  const { variables, secrets } = splitEnvironment(process)
  const isByService = (path: string): boolean => path !== nullDevice && servicePaths.has(path)
  // systemd and the wrapper differ in what they take in a file, so one of them reads all.
  const wrapsFiles = environmentFiles.some(isByService)
  const ownOutput = output && isByService(output.file) ? output.file : undefined
  const isWrapped =
    secrets.length > 0 || ownOutput !== undefined || wrapsFiles || (environmentFiles.length > 0 && variables.length > 0)
  // The rest may steer the wrapper's shell, or is overridden by what systemd reads.
  const isDirect = ([name]: Variable): boolean => !isWrapped || (environmentFiles.length === 0 && isPlainVariable(name))
  const direct = variables.filter(isDirect)
  const aliased = variables.filter(variable => !isDirect(variable))
  const credentials = new Map<string, string>()
  const sources: VariableSource[] = []
  for (const [index, path] of (wrapsFiles ? environmentFiles : []).entries()) {
    const credential = isByService(path) ? undefined : `environment-${index + 1}`
    if (credential !== undefined) credentials.set(credential, path)
    sources.push({ kind: 'file', path, ...(credential !== undefined && { credential }) })
  }
  for (const index of aliased.keys()) sources.push({ kind: 'variable', alias: aliasOf(index) })
  for (const [name, path] of secrets) {
    if (!isByService(path)) credentials.set(name, path)
    sources.push({ kind: 'secret', name, path, ...(!isByService(path) && { credential: name }) })
  }
  const wrapper: ExecWrapper = { variables: sources, ...(ownOutput !== undefined && { output: ownOutput }) }
  const named = aliased.map(([name, value], index) => `${aliasOf(index)}=${name}=${value}`)
  const target = output && !isByService(output.file) ? [outputTarget(output.file)] : []
  return {
    ExecStart: [quoteCommand([...wrapExecution(wrapper), ...process.command])],
    Environment: [...direct.map(([name, value]) => `${name}=${value}`), ...named].map(quoteWord),
    EnvironmentFile: wrapsFiles ? [] : environmentFiles.map(path => escapeGlob(escapeSpecifiers(path))),
    LoadCredential: [...credentials].map(([name, path]) => `${name}:${escapeSpecifiers(path)}`),
    StandardOutput: target,
    StandardError: target,
  }
}

type Variable = readonly [name: string, value: string]

/** Each sorted by name. */
export function splitEnvironment({ environment }: Process): { variables: Variable[]; secrets: Variable[] } {
  const variables: Variable[] = []
  const secrets: Variable[] = []
  for (const [name, value] of Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (typeof value === 'string') variables.push([name, value])
    else secrets.push([name, value.fromFile])
  }
  return { variables, secrets }
}

function aliasOf(index: number): string {
  return `REEVE_VARIABLE_${index + 1}`
}

function outputTarget(file: string): string {
  return file === nullDevice ? 'null' : `append:${escapeSpecifiers(file)}`
}

/** EnvironmentFile= takes patterns. */
function escapeGlob(path: string): string {
  return path.replace(/[\\*?[]/g, '\\$&')
}
