import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import { environmentFileLimit, parseEnvironmentFile } from '../../../src/core/model/environment-file.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { isPlainVariable } from '../../posix/environment-names.ts'
import { type VariableSource, variableFileLimit } from '../../posix/exec-wrapper.ts'

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface ServiceEnvironment {
  /** Environment of the shim, which no other user can see. */
  readonly variables: Readonly<Record<string, string>>
  /** Sources that the exec wrapper renames, or reads with the rights of the service's user. */
  readonly sources: readonly VariableSource[]
}

/** A variable, or a file that is left to the service's user. */
type Part =
  | { readonly kind: 'value'; readonly name: string; readonly value: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'secret'; readonly name: string; readonly path: string }

/**
 * Complete environment of a service, in increasing priority: PATH, the user's own variables, environment files, declared
 * variables. Nothing is inherited. Root reads a file only through directories that it alone can change; others are left to
 * the service's user, if `hasUser` says that it has one besides root. Throws ReeveError if a file can't be read: it is read
 * at each start.
 */
export function buildEnvironment(process: Process, host: ReadHost, node: string, hasUser: boolean): ServiceEnvironment {
  const parts = toParts({ PATH: extendPath(node), ...userVariables(process, host) })
  for (const path of process.environmentFiles) {
    const content = readFor(path, host, hasUser, environmentFileLimit)
    if (content === undefined) throw new ReeveError('failed', `there is no environment file ${path}; create it`)
    if (content === 'for the user') parts.push({ kind: 'file', path })
    else parts.push(...toParts(parseEnvironmentFile(content, path)))
  }
  for (const [name, value] of Object.entries(process.environment)) {
    if (typeof value === 'string') {
      parts.push({ kind: 'value', name, value })
      continue
    }
    const path = value.fromFile
    const content = readFor(path, host, hasUser, variableFileLimit)
    if (content === undefined) {
      throw new ReeveError('failed', `expected the value of variable ${name} in ${path}, but there is no such file`)
    }
    if (content === 'for the user') parts.push({ kind: 'secret', name, path })
    else parts.push({ kind: 'value', name, value: decode(content, path).replace(/\r?\n$/, '') })
  }
  return arrange(parts)
}

/**
 * Set in the environment of the shim if its name allows that and no earlier source is still to be read. Otherwise set there
 * under an alias, for the wrapper.
 */
function arrange(parts: readonly Part[]): ServiceEnvironment {
  const variables = new Map<string, string>()
  const sources: VariableSource[] = []
  let isRead = true
  for (const part of lastOfEach(parts)) {
    if (part.kind !== 'value') {
      isRead = false
      sources.push(part)
    } else if (isRead && isPlainVariable(part.name)) {
      variables.set(part.name, part.value)
    } else {
      const alias = `__reeve_given_${sources.length}`
      variables.set(alias, `${part.name}=${part.value}`)
      sources.push({ kind: 'variable', alias })
    }
  }
  return { variables: createDictionary(variables), sources }
}

/** Without values that a later one of the same name overrides. */
function lastOfEach(parts: readonly Part[]): readonly Part[] {
  const last = new Map(parts.map((part, index) => [part.kind === 'value' ? part.name : `${index}`, index]))
  const kept = new Set(last.values())
  return parts.filter((_part, index) => kept.has(index))
}

/** The Node that runs Reeve is found last, so that examples and small services need nothing else. */
function extendPath(node: string): string {
  const directory = node.slice(0, node.lastIndexOf('/'))
  return directory === '' || standardPath.split(':').includes(directory) ? standardPath : `${standardPath}:${directory}`
}

function userVariables({ user }: Process, host: ReadHost): Record<string, string> {
  const found = user === undefined ? undefined : host.findUser(user)
  if (user === undefined || !found) return {}
  return { HOME: found.home, USER: user, LOGNAME: user, SHELL: found.shell }
}

function toParts(variables: Readonly<Record<string, string>>): Part[] {
  return Object.entries(variables).map(([name, value]) => ({ kind: 'value', name, value }))
}

/** Reads a file; undefined if it doesn't exist. */
function readFor(
  path: string,
  host: ReadHost,
  hasUser: boolean,
  limit: number,
): Uint8Array | 'for the user' | undefined {
  try {
    return host.userId() === 0 ? host.readProtectedFile(path, limit) : host.readFile(path, limit)
  } catch (error) {
    if (hasUser && error instanceof ReeveError && error.code === 'insecure') return 'for the user'
    throw error
  }
}

function decode(content: Uint8Array, path: string): string {
  if (content.includes(0)) throw new ReeveError('failed', `expected text in ${path}, found a NUL byte`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch (error) {
    throw new ReeveError('failed', `expected UTF-8 text in ${path}, found other bytes`, { cause: error })
  }
}
