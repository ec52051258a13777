import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Sections } from './unit-file.ts'

const value = { type: ['string', 'number', 'boolean'] }
const values = {
  description: 'A value, a list of values (the key once for each), or null: without the key.',
  anyOf: [value, { type: 'array', items: value }, { type: 'null' }],
}
const keys = { type: 'object', propertyNames: { pattern: '^[A-Za-z0-9-]+$' }, additionalProperties: values }
/** Keys whose value is a whole file in place of keys or sections. */
const whole = {
  source: {
    type: 'string',
    minLength: 1,
    description: 'A file in the manifests directory that is the whole, in place of text. Relative to the manifest.',
  },
  text: { type: 'string', minLength: 1, description: 'The whole file, in place of all else.' },
}
const sections = { type: 'object', propertyNames: { pattern: '^[A-Za-z0-9-]+$' }, additionalProperties: keys }

/** JSON Schema of `spec.config.systemd`. */
export const configSchema: object = {
  type: 'object',
  'x-policy': ['config', 'services'],
  description: 'What is different under systemd, or the unit itself.',
  additionalProperties: false,
  properties: {
    unit: {
      ...sections,
      description:
        'Sections and keys laid over the unit that is rendered from spec.process: a value or a list of them takes the place of those that are there, null takes a key away.',
    },
    text: { type: 'string', minLength: 1, description: 'The whole unit, instead of one rendered from spec.process.' },
    source: {
      type: 'string',
      minLength: 1,
      description:
        'A file in the manifests directory that is the whole unit, in place of text. Relative to the manifest.',
    },
    dropIns: {
      type: 'object',
      description:
        'Drop-ins by name, as sections and keys, as text, or as source: FILE. Without spec.process, unit and text they are for a unit that exists already, which stays as it is.',
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$' },
      additionalProperties: {
        anyOf: [
          { type: 'string', minLength: 1 },
          { ...sections, properties: whole },
        ],
      },
    },
    socket: {
      ...keys,
      properties: whole,
      description:
        'Keys of [Socket], or the whole unit as source or text: a unit NAME.socket, which is enabled and started in place of the service.',
    },
    timer: {
      ...keys,
      properties: whole,
      description:
        'Keys of [Timer], or the whole unit as source or text: a unit NAME.timer, which is enabled and started in place of the service.',
    },
  },
}

/** JSON Schema of `spec.systemd` of a Supervisor. */
export const optionsSchema: object = {
  type: 'object',
  'x-policy': ['supervisorDirectories'],
  description: 'Options of an instance of systemd.',
  additionalProperties: false,
  properties: {
    scope: {
      enum: ['system', 'user'],
      description: "system: the host's manager. user: that of the user Reeve runs as. Default: system.",
    },
    unitDirectory: {
      title: 'an absolute path',
      type: 'string',
      pattern: '^/',
      description: 'Where units are written. Default: /etc/systemd/system, or ~/.config/systemd/user.',
    },
    runtimeDirectory: {
      title: 'an absolute path',
      type: 'string',
      pattern: '^/',
      description: "Where the manager's sockets are. Default: /run, or /run/user/UID.",
    },
  },
}

export interface Configuration {
  readonly unit?: Sections
  readonly text?: string
  readonly dropIns: Readonly<Record<string, Sections | string>>
  readonly socket?: Trigger
  readonly timer?: Trigger
  /** Tables that have both a text and something else. */
  readonly ambiguous: readonly string[]
}

/** Keys of its section, or the whole unit. */
export type Trigger = Readonly<Record<string, readonly string[]>> | string

/** `spec.config.systemd`, validated by `configSchema`. */
export function readConfiguration(config: unknown): Configuration {
  const { unit, text, dropIns, socket, timer } = tableOf(config)
  const read = Object.entries(tableOf(dropIns)).map(([name, content]): [string, Sections | string] => [
    name,
    readText(content) ?? readTable(content),
  ])
  return {
    ...(unit !== undefined && { unit: readTable(unit) }),
    ...(typeof text === 'string' && { text }),
    dropIns: createDictionary(read),
    ambiguous: [
      ...Object.entries({ socket, timer }).flatMap(([key, table]) => (isAmbiguous(table) ? [key] : [])),
      ...Object.entries(tableOf(dropIns)).flatMap(([name, table]) => (isAmbiguous(table) ? [`dropIns.${name}`] : [])),
    ],
    ...(socket !== undefined && { socket: readText(socket) ?? readKeys(socket) }),
    ...(timer !== undefined && { timer: readText(timer) ?? readKeys(timer) }),
  }
}

function isAmbiguous(table: unknown): boolean {
  return typeof table !== 'string' && readText(table) !== undefined && Object.keys(tableOf(table)).length > 1
}

/** Text of a whole file; undefined if it is a table of keys or sections. */
function readText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const { text } = tableOf(value)
  return typeof text === 'string' ? text : undefined
}

function readTable(table: unknown): Sections {
  return createDictionary(Object.entries(tableOf(table)).map(([section, keys]) => [section, readKeys(keys)]))
}

function readKeys(keys: unknown): Record<string, readonly string[]> {
  return createDictionary(Object.entries(tableOf(keys)).map(([key, found]) => [key, readValues(found)]))
}

function readValues(found: unknown): readonly string[] {
  if (found === null) return []
  return (Array.isArray(found) ? found : [found]).map(item =>
    typeof item === 'boolean' ? yesOrNo(item) : String(item),
  )
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
