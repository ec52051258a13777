import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Process } from '../../../src/core/facility.ts'
import type { ReadHost } from '../../../src/core/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { isPlainVariable, isVariableName } from '../../posix/environment-names.ts'

/** In bytes, of a secret or an environment file. */
const fileLimit = 1024 * 1024

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface ServiceEnvironment {
  /** Stand in the environment of the shim, where no other user sees them. */
  readonly variables: Readonly<Record<string, string>>
  /** Are handed over on the command line of env(1); see posix/environment-names.ts. */
  readonly late: readonly (readonly [name: string, value: string])[]
}

/**
 * The whole environment of a service: PATH, the user's own variables, environment files, declared variables, each
 * winning over those before. Nothing is inherited. Throws ReeveError where a file can't be read: it is read at each start.
 */
export function buildEnvironment(process: Process, host: ReadHost, node: string): ServiceEnvironment {
  const all = createDictionary(Object.entries({ PATH: extendPath(node), ...userVariables(process, host) }))
  for (const path of process.environmentFiles) Object.assign(all, readEnvironmentFile(path, host))
  for (const [name, value] of Object.entries(process.environment)) {
    all[name] = typeof value === 'string' ? value : readSecret(name, value.fromFile, host)
  }
  const entries = Object.entries(all)
  return {
    variables: createDictionary(entries.filter(([name]) => isPlainVariable(name))),
    late: entries.filter(([name]) => !isPlainVariable(name)),
  }
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

function readSecret(name: string, path: string, host: ReadHost): string {
  const content = host.readText(path, fileLimit)
  if (content === undefined) {
    throw new ReeveError('failed', `expected the value of variable ${name} in ${path}, but there is no such file`)
  }
  if (content.includes('\0')) throw new ReeveError('failed', `expected text in ${path}, found a NUL byte`)
  return content.replace(/\r?\n$/, '')
}

function readEnvironmentFile(path: string, host: ReadHost): Record<string, string> {
  const content = host.readText(path, fileLimit)
  if (content === undefined) throw new ReeveError('failed', `there is no environment file ${path}; create it`)
  return parseEnvironmentFile(content, path)
}

/**
 * Lines of `KEY=value`; empty lines and those that start with `#` or `;` don't count. One pair of quotes around a value
 * is taken off; nothing in it is expanded. Throws ReeveError that names the line, but not what is in it.
 */
export function parseEnvironmentFile(content: string, path: string): Record<string, string> {
  const variables = createDictionary<string>()
  for (const [index, raw] of content.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? []
    if (!isVariableName(name) || value.includes('\0')) {
      throw new ReeveError('failed', `expected KEY=value in line ${index + 1} of ${path}, KEY of letters, digits and _`)
    }
    variables[name] = /^(["']).*\1$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value
  }
  return variables
}
