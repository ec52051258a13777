import { basename, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import type { Facility, Instance } from '../../../src/core/model/facility.ts'
import { type StartNeeds, startNeedsOf } from '../../../src/core/model/start-needs.ts'
import { usualSearchPath } from '../../../src/host/program-check.ts'
import { isWrapped } from '../../posix/exec-wrapper.ts'
import { splitWords } from '../units/command-line.ts'
import { searchedDirectories, unitDirectoryOf } from '../units/layout.ts'
import { findRootShell } from '../units/root-shell.ts'
import { readSections } from '../units/unit-file.ts'
import { expandSpecifiers, unitOf } from '../units/unit-name.ts'
import { readUnitSearchPath } from '../units/unit-search-path.ts'

type Keys = Readonly<Record<string, readonly string[]>>

/**
 * Start needs of a unit as it is going to be, with all drop-ins, whoever wrote them. What only systemd can resolve
 * (specifiers, paths in a root directory of the unit) is left out.
 */
export function findStartNeeds(
  facility: Facility,
  definition: Definition,
  instance: Instance,
  host: ReadHost,
): StartNeeds | undefined {
  const unit = unitOf(facility.service)
  if (!unit.endsWith('.service')) return { secrets: [], environmentFiles: [] }
  const { Service = {}, Unit = {} } = readSections(listTexts(unit, definition, instance, host).join('\n'))
  const isDynamic = isYes(Service.DynamicUser)
  const plain = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : expandSpecifiers(text, unit)
  const user = isDynamic ? undefined : plain(Service.User?.at(-1))
  const group = isDynamic ? undefined : plain(Service.Group?.at(-1))
  const moreGroups = wordsOf(Service.SupplementaryGroups).flatMap(name => plain(name) ?? [])
  const portable = facility.process && startNeedsOf(facility.process)
  const files = readFiles(Service, portable, plain)
  const rootShell = findRootShell(Service, plain(Service.RootDirectory?.at(-1)), host)
  const accounts = {
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    ...(moreGroups.length > 0 && { moreGroups }),
    secrets: portable?.secrets ?? [],
    environmentFiles: files.environmentFiles,
    files: [...files.files, ...rootShell],
  }
  if (rootKeys.some(key => Service[key]?.length)) return accounts
  const isHidden = (path: string): boolean => isYes(Service.PrivateTmp) && /^\/(?:var\/)?tmp\//.test(`${path}/`)
  const onHost = (path: string | undefined): string | undefined =>
    path === undefined || isHidden(path) ? undefined : path
  const program = onHost(plain(findProgram(Service)))
  const workingDirectory = onHost(findWorkingDirectory(Service, Unit, plain))
  return {
    ...accounts,
    ...(program !== undefined && { program }),
    ...(workingDirectory !== undefined && { workingDirectory }),
    searchPath: [...wordsOf(Service.ExecSearchPath), ...usualSearchPath, ...(portable?.searchPath ?? [])],
  }
}

/** With these settings, a path means another file than on the host. */
const rootKeys = [
  'RootDirectory',
  'RootImage',
  'MountImages',
  'ExtensionImages',
  'ExtensionDirectories',
  'BindPaths',
  'BindReadOnlyPaths',
  'TemporaryFileSystem',
]

/** Directories with these names are created at each start. */
const madeKeys = ['RuntimeDirectory', 'StateDirectory', 'CacheDirectory', 'LogsDirectory', 'ConfigurationDirectory']

/** The unit, or another's that is added to, and all drop-ins; from the disk, those that the definition leaves there. */
function listTexts(unit: string, { files }: Definition, instance: Instance, host: ReadHost): string[] {
  const scope = instance.options.scope === 'user' ? 'user' : 'system'
  const own = unitDirectoryOf(instance)
  const directories = new Set([own, ...searchedDirectories.map(directory => join(directory, scope))])
  const disk = readUnitSearchPath(host, [...directories], 1)
  const declared = new Map(files.map(({ path, content }) => [path, content]))
  const found = disk.find(unit)
  const base = declared.get(join(own, unit)) ?? (found.kind === 'found' ? found.text : '')
  const dropIns = new Map(disk.dropIns(unit).map(path => [basename(path), () => host.readText(path) ?? '']))
  for (const [path, content] of declared) if (path.endsWith('.conf')) dropIns.set(basename(path), () => content)
  const sorted = [...dropIns].sort(([left], [right]) => (left < right ? -1 : 1))
  return [base, ...sorted.map(([, read]) => read())]
}

/**
 * The first command executed, if it has to succeed. An earlier command may create it, unless it is in a directory of
 * installed programs.
 */
function findProgram({ ExecStart = [], ExecStartPre = [], ExecCondition = [] }: Keys): string | undefined {
  const [, prefix = '', line = ''] = /^([-@:+!|]*)(.*)$/s.exec(ExecStart[0] ?? '') ?? []
  if (prefix.includes('-')) return undefined
  const words = splitWords(line)
  const rest = prefix.includes('@') ? [words[0] ?? '', ...words.slice(2)] : words
  // The shell of the wrapper exists; the program that it executes may not.
  const [program] = isWrapped(rest) ? rest.slice(4) : rest
  if (program === undefined || (!prefix.includes(':') && program.includes('$'))) return undefined
  const isPrepared = ExecStartPre.length + ExecCondition.length > 0
  return isPrepared && !/^\/(?:usr\/)?(?:bin|sbin|lib|lib64|libexec)\//.test(program) ? undefined : program
}

function findWorkingDirectory(
  service: Keys,
  { RequiresMountsFor = [], WantsMountsFor = [] }: Keys,
  plain: (text: string) => string | undefined,
): string | undefined {
  const said = service.WorkingDirectory?.at(-1)
  const directory = said?.startsWith('/') ? plain(said) : undefined
  const isMade = wordsOf(madeKeys.flatMap(key => service[key] ?? [])).some(name =>
    `${directory}/`.includes(`/${name.replace(/:.*$/, '')}/`),
  )
  const isMounted = wordsOf([...RequiresMountsFor, ...WantsMountsFor]).some(path =>
    `${directory}/`.startsWith(`${path}/`),
  )
  return isMade || isMounted ? undefined : directory
}

/** systemd skips lines of an environment file that it doesn't understand; the exec wrapper doesn't. */
function readFiles(
  { EnvironmentFile = [], LoadCredential = [] }: Keys,
  portable: StartNeeds | undefined,
  plain: (text: string) => string | undefined,
): Required<Pick<StartNeeds, 'environmentFiles' | 'files'>> {
  const secrets = new Set(portable?.secrets.map(({ path }) => path))
  const read = EnvironmentFile.filter(path => path.startsWith('/') && !/(?<!\\)[*?[]/.test(path))
  const environment = read.flatMap(path => plain(path.replace(/\\(.)/g, '$1')) ?? [])
  const credentials = LoadCredential.flatMap(value => plain(value.replace(/^[^:]*:/, '')) ?? [])
  return {
    environmentFiles: (portable?.environmentFiles ?? []).filter(path => !environment.includes(path)),
    files: [
      ...environment.map(path => ({ what: 'environment file', path })),
      ...credentials
        .filter(path => path.startsWith('/') && !secrets.has(path))
        .map(path => ({ what: 'file for a credential,', path })),
    ],
  }
}

function wordsOf(values: readonly string[] = []): string[] {
  return values.flatMap(value => value.split(/\s+/)).filter(Boolean)
}

function isYes(values: readonly string[] | undefined): boolean {
  return /^(?:1|y|yes|t|true|on)$/i.test(values?.at(-1) ?? '')
}
