import { isAbsolute } from 'node:path'
import { createDictionary } from '../../../src/core/dictionary.ts'
import { isVariableName } from '../../../src/core/model/environment-file.ts'
import type { Process, SecretReference } from '../../../src/core/model/facility.ts'
import { defaultRotation } from '../../../src/core/model/portable-fields.ts'
import { findSignalNumber } from '../../../src/host/signals.ts'
import { isStrings, isTable, type Table } from '../../posix/table.ts'

export interface Problem {
  /** As a path in the manifest: `process.umask`. */
  readonly field: string
  readonly message: string
}

/** Resource limits that prlimit(1) can set. */
export const limitNames: readonly string[] = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]

const knownFields = new Set([
  'command',
  'workingDirectory',
  'user',
  'group',
  'umask',
  'environment',
  'environmentFiles',
  'limits',
  'restart',
  'stop',
  'reload',
  'output',
])

/** Takes a value, or tells what is wrong with it. */
type Complain = (field: string, message: string) => void

/** Reads the form that `presentProcess` gives, trusting nothing: a person may have edited it. */
export function readProcess(form: Table): { readonly process: Process } | { readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const complain: Complain = (field, message) => problems.push({ field: `process.${field}`, message })
  for (const key of Object.keys(form)) {
    if (!knownFields.has(key)) complain(key, 'expected a known field')
  }
  const process: Process = {
    command: readCommand(form.command, 'command', complain),
    ...optional('workingDirectory', readPath(form.workingDirectory, 'workingDirectory', complain)),
    ...optional('user', readText(form.user, 'user', complain)),
    ...optional('group', readText(form.group, 'group', complain)),
    ...optional('umask', readMask(form.umask, complain)),
    environment: readEnvironment(form.environment, complain),
    environmentFiles: readPaths(form.environmentFiles, complain),
    limits: readLimits(form.limits, complain),
    restart: readRestart(form.restart, complain),
    stop: readStop(form.stop, complain),
    ...optional('reload', readReload(form.reload, complain)),
    ...optional('output', readOutput(form.output, complain)),
  }
  return problems.length > 0 ? { problems } : { process }
}

function readCommand(value: unknown, field: string, complain: Complain): readonly string[] {
  if (isStrings(value) && value.length > 0 && value[0] !== '' && !value.some(word => word.includes('\0'))) return value
  complain(field, 'expected the program and its arguments as a list of texts')
  return []
}

function readText(value: unknown, field: string, complain: Complain): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '' && !value.includes('\0'))) return value
  complain(field, 'expected a text')
  return undefined
}

function readPath(value: unknown, field: string, complain: Complain): string | undefined {
  const path = readText(value, field, complain)
  if (path === undefined || isAbsolute(path)) return path
  complain(field, `expected an absolute path, found ${path}`)
  return undefined
}

function readPaths(value: unknown, complain: Complain): readonly string[] {
  if (value === undefined) return []
  if (isStrings(value) && value.every(path => isAbsolute(path) && !path.includes('\0'))) return value
  complain('environmentFiles', 'expected a list of absolute paths')
  return []
}

function readMask(value: unknown, complain: Complain): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && /^0?[0-7]{1,3}$/.test(value)) return Number.parseInt(value, 8)
  complain('umask', 'expected an octal number in quotes, such as "0022"')
  return undefined
}

function readEnvironment(value: unknown, complain: Complain): Readonly<Record<string, string | SecretReference>> {
  if (value === undefined) return {}
  if (!isTable(value)) {
    complain('environment', 'expected variables by name')
    return {}
  }
  const environment: [name: string, value: string | SecretReference][] = []
  for (const [name, content] of Object.entries(value)) {
    const field = `environment.${name}`
    if (!isVariableName(name)) {
      complain(field, 'expected a name of letters, digits and _, that begins neither with a digit nor with __reeve')
    } else if (typeof content === 'string' && !content.includes('\0')) environment.push([name, content])
    else if (isTable(content) && typeof content.fromFile === 'string' && isPath(content.fromFile)) {
      environment.push([name, { fromFile: content.fromFile }])
    } else complain(field, 'expected a text, or { fromFile: PATH } with an absolute path')
  }
  return createDictionary(environment)
}

function isPath(text: string): boolean {
  return isAbsolute(text) && !text.includes('\0')
}

function readLimits(value: unknown, complain: Complain): Readonly<Record<string, number | 'unlimited'>> {
  if (value === undefined) return {}
  if (!isTable(value)) {
    complain('limits', 'expected limits by name')
    return {}
  }
  const limits = createDictionary<number | 'unlimited'>()
  for (const [name, limit] of Object.entries(value)) {
    if (!limitNames.includes(name)) complain(`limits.${name}`, `expected one of ${limitNames.join(', ')}`)
    else if (limit === 'unlimited' || isCount(limit)) limits[name] = limit
    else complain(`limits.${name}`, 'expected a number or unlimited')
  }
  return limits
}

function readRestart(value: unknown, complain: Complain): Process['restart'] {
  const { policy = 'always', delay } = readTable(value, 'restart', complain)
  if (policy !== 'always' && policy !== 'on-failure' && policy !== 'never') {
    complain('restart.policy', 'expected always, on-failure or never')
    return { policy: 'always', delay: 1_000 }
  }
  return { policy, delay: readDuration(delay, 'restart.delay', 1_000, complain) }
}

function readStop(value: unknown, complain: Complain): Process['stop'] {
  const { signal = 'TERM', timeout } = readTable(value, 'stop', complain)
  return {
    signal: readSignal(signal, 'stop.signal', complain),
    timeout: readDuration(timeout, 'stop.timeout', 10_000, complain),
  }
}

function readReload(value: unknown, complain: Complain): Process['reload'] {
  if (value === undefined) return undefined
  const { signal, command } = readTable(value, 'reload', complain)
  if ((signal === undefined) === (command === undefined)) {
    complain('reload', 'expected either a signal or a command')
    return undefined
  }
  if (signal !== undefined) return { signal: readSignal(signal, 'reload.signal', complain) }
  return { command: readCommand(command, 'reload.command', complain) }
}

function readOutput(value: unknown, complain: Complain): Process['output'] {
  if (value === undefined) return undefined
  const { file, maxSize, keep = defaultRotation.keep } = readTable(value, 'output', complain)
  const path = readPath(file, 'output.file', complain)
  const size = maxSize === undefined ? defaultRotation.maxSize : readSize(maxSize, complain)
  if (file === undefined) complain('output.file', 'expected an absolute path')
  if (!isCount(keep) || keep > 1_000) complain('output.keep', 'expected a number up to 1000')
  return path === undefined || !isCount(keep) ? undefined : { file: path, maxSize: size, keep }
}

function readSignal(value: unknown, field: string, complain: Complain): string {
  if (typeof value === 'string' && findSignalNumber(value) !== undefined) return value.replace(/^SIG/, '')
  complain(field, 'expected the name of a signal, such as TERM')
  return 'TERM'
}

const durationUnits = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])

function readDuration(value: unknown, field: string, absent: number, complain: Complain): number {
  if (value === undefined) return absent
  const [, count, unit] = (typeof value === 'string' && /^(\d{1,15})(ms|s|m|h)$/.exec(value)) || []
  const factor = durationUnits.get(unit ?? '')
  if (count !== undefined && factor !== undefined) return Number(count) * factor
  complain(field, 'expected a duration such as 500ms, 10s, 5m or 1h')
  return absent
}

const sizeUnits = new Map([
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
])

function readSize(value: unknown, complain: Complain): number {
  const [, count, unit] = (typeof value === 'string' && /^(\d{1,15})(B|KiB|MiB|GiB)$/.exec(value)) || []
  const factor = sizeUnits.get(unit ?? '')
  if (count !== undefined && factor !== undefined) return Number(count) * factor
  complain('output.maxSize', 'expected a size such as 512KiB or 10MiB')
  return 0
}

function readTable(value: unknown, field: string, complain: Complain): Table {
  if (value === undefined || isTable(value)) return value ?? {}
  complain(field, 'expected a map')
  return {}
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function optional<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  const result: { [key in K]?: T } = {}
  if (value !== undefined) result[key] = value
  return result
}
