import { dirname, join, resolve } from 'node:path'
import { hostConfiguration as isHostConfigurationFile } from '#schemas/compiled/host-configuration.js'
import { type HostConfigurationForm, hostConfigurationShape } from '#schemas/compiled/host-configuration.shape.js'
import type { Diagnostic } from '../core/model/diagnostic.ts'
import { createForm, type FormProblem } from '../core/model/form.ts'
import type { HostConfiguration } from '../core/model/host-configuration.ts'
import { isObject } from '../core/outside-value.ts'
import { findInsecurePath, lookupIn } from '../core/paths/path-permissions.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import { formatDiagnostics } from './diagnostics/diagnostic-text.ts'
import { diagnoseFile, diagnoseText, type FieldProblem, problemOf, sortDiagnostics } from './diagnostics/problem.ts'
import { createSourceText } from './diagnostics/source-text.ts'
import { decodeText, diagnoseField } from './parse/manifest-file.ts'
import { parseYaml } from './parse/yaml-document.ts'
import { localFiles, type ManifestFiles } from './read/manifest-files.ts'
import { hasCode } from './read/manifest-snapshot.ts'
import { checkSchema } from './schema/schema-check.ts'
import { describeValue } from './schema/schema-node.ts'
import { completeSource, findSourceProblems } from './source-settings.ts'

const hostConfigurationForm = createForm(hostConfigurationShape)

export interface HostConfigurationOptions {
  /** `--config`; must exist. Absent: /etc/reeve/reeve.yaml for root, else $XDG_CONFIG_HOME/reeve/reeve.yaml, if there is one. */
  readonly file?: string | undefined
  /** HOME, XDG_CONFIG_HOME and XDG_STATE_HOME are used. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** The effective user id. */
  readonly userId: number
  /** `--state-dir`: wins over the file. */
  readonly stateDir?: string | undefined
  /** Default false. */
  readonly insecurePermissions?: boolean | undefined
  /** Default: the local file system. */
  readonly files?: ManifestFiles | undefined
  /** Read in place of what is in the file, which need not exist. */
  readonly text?: string | undefined
}

const maximumSize = 1024 * 1024

/** Unless the host configuration or `--state-dir` says otherwise. */
export const rootStateDirectory = '/var/lib/reeve'

/**
 * The host's configuration, defaults filled in. Throws ReeveError `not-found` for a named file that isn't there,
 * `invalid` with all diagnostics in its message, and `insecure` as root for a file that others can write.
 */
export function loadHostConfiguration(options: HostConfigurationOptions): HostConfiguration {
  const file = findHostConfigurationFile(options)
  const files = options.files ?? localFiles
  const there = readIfThere(file, files, options)
  const content = options.text === undefined ? there : new TextEncoder().encode(options.text)
  const base = dirname(resolve(file))
  const form = content === undefined ? readSettings({}, base, () => {}) : parse(file, base, content)
  return complete(form, base, options)
}

/** Path of the host configuration, whether or not it exists. */
export function findHostConfigurationFile(options: HostConfigurationOptions): string {
  return options.file ?? defaultFile(options)
}

function defaultFile({ env, userId }: HostConfigurationOptions): string {
  return userId === 0 ? '/etc/reeve/reeve.yaml' : join(xdgHome(env, 'XDG_CONFIG_HOME', '.config'), 'reeve/reeve.yaml')
}

function defaultStateDirectory({ env, userId }: HostConfigurationOptions): string {
  return userId === 0 ? rootStateDirectory : join(xdgHome(env, 'XDG_STATE_HOME', '.local/state'), 'reeve')
}

/** Value of an XDG variable; a relative path in it is ignored, as the XDG rules want. */
function xdgHome(env: HostConfigurationOptions['env'], variable: string, fallback: string): string {
  const home = env[variable]
  return home?.startsWith('/') ? home : join(env.HOME ?? '/', fallback)
}

function readIfThere(file: string, files: ManifestFiles, options: HostConfigurationOptions): Uint8Array | undefined {
  let realPath: string
  try {
    realPath = files.realPath(file)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw new ReeveError('invalid', `${file} cannot be read: ${messageOf(error)}`)
    if (options.text !== undefined) expectSafe(file, files, options)
    else if (options.file !== undefined)
      throw new ReeveError('not-found', `there is no file ${file}: --config names the host configuration`)
    return undefined
  }
  expectSafe(file, files, options)
  let content: Uint8Array | undefined
  try {
    content = files.readFile(realPath, maximumSize).content
  } catch (error) {
    throw new ReeveError('invalid', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  if (content === undefined) throw new ReeveError('invalid', `${file} is larger than 1 MiB`)
  return content
}

/** As root: nobody else can write the file, or the directories on the way, as far as they exist. */
function expectSafe(
  file: string,
  files: ManifestFiles,
  { userId, insecurePermissions }: HostConfigurationOptions,
): void {
  if (userId !== 0 || insecurePermissions === true) return
  const insecure = findInsecurePath(resolve(file), lookupIn(files), userId)
  if (insecure !== undefined)
    throw new ReeveError('insecure', `the host configuration is not safe: ${insecure.message}`)
}

function parse(file: string, base: string, content: Uint8Array): HostConfigurationForm {
  const decoded = decodeText(file, content)
  if ('code' in decoded) throw invalid([decoded])
  const source = createSourceText(decoded.text)
  const { documents, problems } = parseYaml(decoded.text)
  if (problems.length > 0) throw invalid(problems.map(problem => diagnoseText(file, source, problem)))
  const [document, second] = documents
  if (document === undefined || second !== undefined) {
    const message = 'expected one document of apiVersion: reeve/v1 and kind: HostConfiguration'
    throw invalid([diagnoseFile(file, 'unknown-kind', message)])
  }
  const { value } = document
  const found: FieldProblem[] = []
  if (checkMap(value, found)) {
    const isShaped = checkSchema('host-configuration', isHostConfigurationFile, value, found)
    const faulty = new Set(found.map(({ path }) => path[0]))
    const form = readSettings(value, base, problem => {
      const [field = ''] = problem.path
      // The schema has found nothing wrong in it.
      if (field in value && !faulty.has(field)) found.push(problemOf(problem))
    })
    checkListen(value, faulty, found)
    if (isShaped && !faulty.has('source')) found.push(...findSourceProblems(form))
    if (isShaped && found.length === 0) return form
  }
  throw invalid(found.map(problem => diagnoseField(file, source, document, problem)))
}

function checkMap(value: unknown, problems: FieldProblem[]): value is object {
  if (isObject(value)) return true
  problems.push({ code: 'wrong-type', message: `expected a map of settings, found ${describeValue(value)}`, path: [] })
  return false
}

function readSettings(value: object, base: string, complain: (problem: FormProblem) => void): HostConfigurationForm {
  return hostConfigurationForm.read(value, {
    resolvePath: path => resolve(base, path),
    findSignal: name => name,
    complain,
  })
}

function checkListen(
  { listen }: { readonly listen?: unknown },
  faulty: ReadonlySet<unknown>,
  problems: FieldProblem[],
): void {
  if (typeof listen !== 'string' || faulty.has('listen') || parseAddress(listen).port <= 65535) return
  problems.push({ code: 'invalid-value', message: 'listen must name a port up to 65535', path: ['listen'] })
}

function complete(form: HostConfigurationForm, base: string, options: HostConfigurationOptions): HostConfiguration {
  const { apiVersion: _, kind: __, policy = {}, listen, providers, source, ...settings } = form
  const given = options.stateDir === undefined ? undefined : resolve(options.stateDir)
  const stateDirectory = given ?? settings.stateDirectory ?? resolve(base, defaultStateDirectory(options))
  const completed = completeSource(source, base)
  return {
    ...settings,
    ...(completed && { source: completed }),
    stateDirectory,
    runtimeDirectory: given ?? settings.runtimeDirectory ?? stateDirectory,
    policy,
    providers: providers.map(name => (/^\.{0,2}\//.test(name) ? resolve(base, name) : name)),
    ...(listen !== undefined && { listen: parseAddress(listen) }),
  }
}

/** `HOST:PORT`, `[ADDRESS]:PORT`, `:PORT` or `PORT`, as the schema has checked it. Without a host: loopback (S5). */
function parseAddress(address: string | number): { host: string; port: number } {
  const text = String(address)
  const at = text.lastIndexOf(':')
  const host = at === -1 ? '' : text.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return { host: host === '' ? '127.0.0.1' : host, port: Number(text.slice(at + 1)) }
}

function invalid(diagnostics: readonly Diagnostic[]): ReeveError {
  const [first] = diagnostics
  const message = `the host configuration is not valid\n${formatDiagnostics(sortDiagnostics(diagnostics))}`
  if (first === undefined || first.line === 0) return new ReeveError('invalid', message)
  const { file, line, column } = first
  return new ReeveError('invalid', message, { position: { file, line, column } })
}
