import { createDictionary, lookUp } from '../core/dictionary.ts'
import { suggest } from '../manifest/diagnostics/field-suggestion.ts'

/** Our commands by other tools' names for them, the likeliest first. */
export const otherVerbs: Readonly<Record<string, readonly string[]>> = {
  add: ['apply'],
  check: ['validate'],
  continue: ['resume'],
  create: ['apply'],
  daemon: ['run'],
  delete: ['down NAME'],
  deploy: ['apply'],
  describe: ['status NAME'],
  destroy: ['down'],
  diff: ['plan'],
  doc: ['explain'],
  events: ['history'],
  fetch: ['sync'],
  freeze: ['suspend'],
  get: ['status'],
  info: ['status NAME'],
  init: ['bootstrap', 'install'],
  inspect: ['status NAME'],
  'is-active': ['status NAME'],
  kill: ['stop'],
  lint: ['validate'],
  list: ['status'],
  'list-units': ['status'],
  log: ['history', 'status NAME'],
  logs: ['status NAME', 'history'],
  ls: ['status'],
  mask: ['disable', 'suspend'],
  pause: ['suspend'],
  preview: ['plan'],
  providers: ['supervisors'],
  prune: ['apply'],
  ps: ['status'],
  pull: ['sync'],
  reconcile: ['apply', 'run', 'sync'],
  remove: ['down NAME'],
  rm: ['down NAME'],
  serve: ['run'],
  show: ['status NAME'],
  stat: ['status'],
  tail: ['status NAME', 'history'],
  top: ['status --watch'],
  unpause: ['resume'],
  up: ['apply'],
  watch: ['status --watch'],
}

const notes: Readonly<Record<string, string>> = createDictionary(
  ['log', 'logs', 'tail'].map(verb => [verb, 'status NAME says where the output of a facility is kept']),
)

/** `unknown command 'ps'`, and below it the likely command. */
export function unknownCommandText(name: string, commands: readonly string[]): string {
  const near = suggest(name, commands)
  const meant = lookUp(otherVerbs, name.toLowerCase()) ?? (near === undefined ? [] : [near])
  const note = lookUp(notes, name.toLowerCase())
  const question = meant.length === 0 ? '' : `\n(Did you mean ${meant.join(' or ')}?)`
  return `unknown command '${name}'${question}${note === undefined ? '' : `\n(${note})`}`
}
