import type { BusCall } from '../core/contracts/bus.ts'
import type { CommandRule, QueryRules, SocketQuestion, SocketRule } from '../core/contracts/query-rules.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { tryTo } from '../core/try-to.ts'

/** Whose rules they are, for messages. */
export interface ProviderQueries extends QueryRules {
  /** Absent: the host is asked for no provider. */
  readonly provider?: string
}

/** Throws ReeveError `internal` if no rule allows the command line. */
export function checkCommand(command: readonly string[], { provider, queries = [] }: ProviderQueries): void {
  if (queries.some(rule => allowsCommand(rule, command))) return
  throw createRefusal(provider, 'queries', command.join(' '), queries)
}

/** Throws ReeveError `internal` if the method isn't declared. */
export function checkBusCall(
  { interface: from, member }: BusCall,
  { provider, busQueries = [] }: ProviderQueries,
): void {
  const name = `${from}.${member}`
  if (!busQueries.includes(name)) throw createRefusal(provider, 'busQueries', name, busQueries)
}

/** Throws ReeveError `internal` if no rule allows the request. */
export function checkQuestion(question: SocketQuestion, { provider, socketQueries = [] }: ProviderQueries): void {
  if (socketQueries.some(rule => allowsQuestion(rule, question))) return
  throw createRefusal(provider, 'socketQueries', `${question.method} ${question.path}`, socketQueries)
}

function allowsCommand(rule: CommandRule, command: readonly string[]): boolean {
  if (typeof rule === 'function') return saysYes(() => rule(command))
  return rule.length > 0 && rule.every((word, index) => command[index] === word)
}

function allowsQuestion(rule: SocketRule, question: SocketQuestion): boolean {
  if (typeof rule === 'function') return saysYes(() => rule(question))
  if (question.method !== rule.method) return false
  const [path = ''] = question.path.split('?')
  return isPlain(path) && (path === rule.path || path.startsWith(rule.path.replace(/\/?$/, '/')))
}

/** True if no server can read the path differently: no dot segments, no encoding. */
function isPlain(path: string): boolean {
  return !/[%\\#;]/.test(path) && path.split('/').every(part => part !== '.' && part !== '..')
}

function saysYes(ask: () => unknown): boolean {
  return tryTo(() => ask() === true) ?? false
}

function createRefusal(
  provider: string | undefined,
  field: 'queries' | 'busQueries' | 'socketQueries',
  found: string,
  rules: readonly (CommandRule | SocketRule | string)[],
): ReeveError {
  const declared = rules.map(rule => {
    if (typeof rule === 'string') return rule
    if (typeof rule === 'function') return 'what a function says'
    return 'path' in rule ? `${rule.method} ${rule.path}` : rule.join(' ')
  })
  const who = provider === undefined ? 'a provider' : `provider ${provider}`
  const expected = `expected a query that ${who} declares in capabilities.${field} (${declared.join(', ') || 'none'})`
  return new ReeveError('internal', `${expected}, found: ${found.slice(0, 200)}`)
}
