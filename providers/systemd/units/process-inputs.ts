import type { Process } from '../../../src/core/model/facility.ts'
import { nullDevice } from '../../../src/host/service-paths.ts'
import { isPlainVariable } from '../../posix/environment-names.ts'
import { type ExecWrapper, type VariableSource, wrapExecution } from '../../posix/exec-wrapper.ts'
import { escapeSpecifiers, quoteCommand, quoteWord } from './quoting.ts'
import { mergeSections, type Sections } from './unit-file.ts'

/**
 * `[Service]` settings for variables and output of a process. Environment files for systemd itself are for other commands of
 * the unit only: see `withoutIdleFiles`. systemd opens and reads as root paths that only root can redirect. The rest,
 * `servicePaths`, is opened and read by the service's user in the exec wrapper (S8), which also sets variables that are to
 * win over files. A process that needs neither has no wrapper.
 */
export function inputKeys(
  process: Process,
  servicePaths: ReadonlySet<string>,
): Readonly<Record<string, readonly string[]>> {
  const { environmentFiles, output } = process
  const { variables, secrets } = splitEnvironment(process)
  const isByService = (path: string): boolean => path !== nullDevice && servicePaths.has(path)
  const ownOutput = output && isByService(output.file) ? output.file : undefined
  // systemd parses a file differently from all other supervisors, and drops what it doesn't accept.
  const isWrapped = secrets.length > 0 || ownOutput !== undefined || environmentFiles.length > 0
  // Other variables may steer the wrapper's shell, or are overridden by what systemd reads.
  const isDirect = ([name]: Variable): boolean => !isWrapped || (environmentFiles.length === 0 && isPlainVariable(name))
  const direct = variables.filter(isDirect)
  const aliased = variables.filter(variable => !isDirect(variable))
  const credentials = new Map<string, string>()
  const sources: VariableSource[] = []
  for (const [index, path] of environmentFiles.entries()) {
    const credential = isByService(path) ? undefined : `${fileCredential}${index + 1}`
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
    EnvironmentFile: environmentFiles.some(isByService)
      ? []
      : environmentFiles.map(path => `-${escapeGlob(escapeSpecifiers(path))}`),
    LoadCredential: [...credentials].map(([name, path]) => `${name}:${escapeSpecifiers(path)}`),
    StandardOutput: target,
    StandardError: target,
  }
}

/** Prefix of the names of credentials with environment files. Variables have no such names. */
export const fileCredential = 'environment-'

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

/** EnvironmentFile= accepts patterns. */
function escapeGlob(path: string): string {
  return path.replace(/[\\*?[]/g, '\\$&')
}

/**
 * Environment files read by systemd itself matter for commands without the exec wrapper: commands of the unit besides its
 * main one, and a main one from native configuration. Without such commands, it reads none.
 */
export function withoutIdleFiles(
  sections: Sections,
  rendered: Sections,
  { reload, dropIns }: { readonly reload: Process['reload']; readonly dropIns: readonly Sections[] },
): Sections {
  const { Service = {} } = sections
  const files = Service.EnvironmentFile ?? []
  if (files.length === 0 || files !== rendered.Service?.EnvironmentFile) return sections
  const ofDropIns = dropIns.flatMap(one => Object.entries(one.Service ?? {}))
  const isReplaced = Service.ExecStart !== rendered.Service.ExecStart || ofDropIns.some(([key]) => key === 'ExecStart')
  // The wrapper reports a missing file.
  const used = isReplaced ? files.map(value => value.replace(/^-/, '')) : files
  const isKill = reload !== undefined && 'signal' in reload && Service.ExecReload === rendered.Service.ExecReload
  const others = [...Object.entries(Service), ...ofDropIns].filter(
    ([key, values]) => /^Exec(?!Start$)/.test(key) && values.length > 0 && !(isKill && key === 'ExecReload'),
  )
  const isIdle = !isReplaced && others.length === 0
  return mergeSections(sections, { Service: { EnvironmentFile: isIdle ? [] : used } })
}
