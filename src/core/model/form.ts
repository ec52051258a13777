import { createDictionary, lookUp } from '../dictionary.ts'
import { isObject } from '../outside-value.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../text/quantity.ts'

/**
 * What a schema says of a field, without the words for people; `schemas/shapes.mjs` makes it. By it documents are read into
 * normal form (`Normal`): defaults filled in, durations in milliseconds, sizes in bytes, modes as numbers, signals without SIG.
 */
export interface Shape<Normal = unknown> {
  /** Never present: ties a shape to the type of its normal form. */
  readonly normal?: Normal
  /** Expected value in words, for a message. */
  readonly title?: string
  /** Meaning of a text, which is converted or checked accordingly. */
  readonly form?: 'command' | 'duration' | 'file' | 'octal' | 'path' | 'signal' | 'size' | 'source'
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: RegExp
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  /** Bounds of a duration or size, as text. */
  readonly atLeast?: string
  readonly atMost?: string
  /** Default as a document would write it. */
  readonly default?: unknown
  /** True: no default is filled in, as it depends on the reader. */
  readonly optional?: true
  readonly anyOf?: readonly Shape[]
  /** Field of the normal form that is `true` where a document has this constant. */
  readonly flag?: string
  readonly items?: Shape
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  /** Keys of which exactly one is required. */
  readonly oneOf?: readonly string[]
  /** Keys and values of a map with free keys. */
  readonly names?: Shape
  readonly entries?: Shape
  /** True: all fields below count as one portable field. */
  readonly whole?: true
}

/** Keys and indices that lead to a value. */
export type FormPath = readonly (string | number)[]

export interface FormProblem {
  /** `out-of-bounds`: a duration or size that was read nevertheless. */
  readonly code: 'invalid-value' | 'out-of-bounds' | 'unknown-signal'
  readonly path: FormPath
  /** Continues the name of the field: `must be at least 100ms, found 1ms`. */
  readonly message: string
  /** The unknown signal. */
  readonly signal?: string
}

export interface FormReader {
  /** Makes a path absolute. Undefined: it is relative to nothing. */
  resolvePath(path: string): string | undefined
  /** The name of a signal without SIG. Undefined: this system has no such signal. */
  findSignal(text: string): string | undefined
  complain(problem: FormProblem): void
}

/** Reads an untrusted value into normal form. Every problem is passed to `complain`; the result is then incomplete. */
export function readForm<Normal>(shape: Shape<Normal>, value: unknown, reader: FormReader): Normal {
  // The type is made from the same schema as the shape.
  return read(shape, value, [], reader) as Normal
}

function read(shape: Shape, value: unknown, path: FormPath, reader: FormReader): unknown {
  const complain = (message: string): void => reader.complain({ code: 'invalid-value', path, message })
  const way = wayOf(shape, value)
  if (way === undefined || !isWithin(way, value)) return complain(`must be ${shape.title}`)
  if (way !== shape) return read(way, value, path, reader)
  if (shape.type === undefined) return value
  if (Array.isArray(value)) return readList(shape, value, path, reader)
  if (isObject(value)) return readTable(shape, value, path, reader)
  return typeof value === 'string' && shape.form !== undefined ? readText(shape, value, path, reader) : value
}

/** The shape, or its first alternative, that fits the value's type. */
function wayOf(shape: Shape, value: unknown): Shape | undefined {
  if (shape.anyOf !== undefined) return shape.anyOf.find(way => wayOf(way, value) !== undefined)
  if (shape.const !== undefined) return value === shape.const ? shape : undefined
  if (shape.enum !== undefined) return shape.enum.includes(value) ? shape : undefined
  return shape.type === undefined || [shape.type].flat().some(type => isOfType(value, type)) ? shape : undefined
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  return type === 'integer' ? Number.isSafeInteger(value) : typeof value === type
}

function isWithin({ form, pattern, maxLength, minimum, maximum, minItems }: Shape, value: unknown): boolean {
  if (Array.isArray(value)) return value.length >= (minItems ?? 0)
  if (typeof value === 'number') return value >= (minimum ?? value) && value <= (maximum ?? value)
  if (typeof value !== 'string' || form === 'signal') return true
  return pattern?.test(value) !== false && value.length <= (maxLength ?? value.length)
}

function readText({ form, atLeast, atMost }: Shape, text: string, path: FormPath, reader: FormReader): unknown {
  const complain = (message: string): void => reader.complain({ code: 'invalid-value', path, message })
  const bound = (parse: (text: string) => number): number => {
    const amount = parse(text)
    const isLess = atLeast !== undefined && amount < parse(atLeast)
    if (isLess || (atMost !== undefined && amount > parse(atMost))) {
      const message = `must be ${isLess ? `at least ${atLeast}` : `at most ${atMost}`}, found ${text}`
      reader.complain({ code: 'out-of-bounds', path, message })
    }
    return amount
  }
  switch (form) {
    case 'duration':
      return bound(parseDuration)
    case 'size':
      return bound(parseSize)
    case 'octal':
      return Number.parseInt(text, 8)
    case 'path':
      return reader.resolvePath(text) ?? complain(`must be an absolute path, found ${text}`)
    case 'file':
      if (!namesFile(text))
        complain(`must name a file without "." or "..", empty parts or a slash at the end, found "${text}"`)
      return text
    case 'signal': {
      const name = reader.findSignal(text)
      if (name !== undefined) return name
      const message = `must be a signal that this system has, found "${text}"`
      reader.complain({ code: 'unknown-signal', path, message, signal: text })
      return text
    }
    default:
      return text
  }
}

/** True if a path names a file without detours. */
function namesFile(path: string): boolean {
  const parts = path.split('/').slice(1)
  return parts.every(part => part !== '' && part !== '.' && part !== '..')
}

function readList(shape: Shape, list: readonly unknown[], path: FormPath, reader: FormReader): unknown[] {
  if (shape.form === 'command' && list[0] === '') {
    reader.complain({ code: 'invalid-value', path: [...path, 0], message: 'must name a program, found an empty text' })
  }
  return list.map((item, index) => read(shape.items ?? {}, item, [...path, index], reader))
}

function readTable(
  shape: Shape,
  table: Readonly<Record<string, unknown>>,
  path: FormPath,
  reader: FormReader,
): Readonly<Record<string, unknown>> {
  const { properties = {}, required = [], oneOf = [], names = {}, entries } = shape
  const complain = (message: string, ...below: string[]): void =>
    reader.complain({ code: 'invalid-value', path: [...path, ...below], message })
  const normal: Record<string, unknown> = entries === undefined ? {} : createDictionary()
  for (const [key, value] of Object.entries(table)) {
    if (Object.hasOwn(properties, key)) continue
    if (entries === undefined) complain('is no known field', key)
    else if (!isWithin(names, key)) complain(`is not ${names.title}`, key)
    else normal[key] = read(entries, value, [...path, key], reader)
  }
  if (oneOf.length > 0 && oneOf.filter(key => lookUp(table, key) !== undefined).length !== 1) {
    complain(`must have exactly one of ${oneOf.join(' and ')}`)
  }
  for (const [key, child] of Object.entries(properties)) {
    const isGiven = Object.hasOwn(table, key) && table[key] !== undefined
    const value = isGiven || child.optional ? table[key] : child.default
    const flag = child.anyOf?.find(way => way.flag !== undefined && way.const === value)?.flag
    if (flag !== undefined) normal[flag] = true
    else if (value !== undefined) normal[key] = read(child, value, [...path, key], reader)
    else if (required.includes(key)) complain(`must be ${child.title}, found nothing`, key)
  }
  return normal
}

/** Converts normal form to a document that reads back equal. Keys of maps are sorted, so equal values give equal text. */
export function presentForm<Normal>(shape: Shape<Normal>, value: Normal): unknown {
  return present(shape, value)
}

function present(shape: Shape, value: unknown): unknown {
  const { form, items = {}, properties, entries = {} } = shape.anyOf === undefined ? shape : (wayOf(shape, value) ?? {})
  if (Array.isArray(value)) return value.map(item => present(items, item))
  if (isObject(value)) {
    const fields = properties === undefined ? Object.keys(value).sort() : Object.keys(properties)
    return createDictionary(
      fields.flatMap((key): [string, unknown][] => {
        const field = lookUp(value, key)
        return field === undefined ? [] : [[key, present(lookUp(properties ?? {}, key) ?? entries, field)]]
      }),
    )
  }
  if (typeof value !== 'number') return value
  if (form === 'duration') return formatDuration(value)
  if (form === 'size') return formatSize(value)
  return form === 'octal' ? value.toString(8).padStart(4, '0') : value
}

/**
 * The paths of the portable fields that a value in normal form makes use of; a default that changes nothing isn't a use. Keys of
 * maps don't count.
 */
export function listUses<Normal>(shape: Shape<Normal>, value: Normal): ReadonlySet<string> {
  const used = new Set<string>()
  visit(shape, value, '')
  return used

  function visit(node: Shape, part: unknown, path: string): void {
    const { properties = {}, entries, whole } = node.anyOf === undefined ? node : (wayOf(node, part) ?? {})
    if (!isObject(part) || whole) {
      if (!isDefault(node, part)) used.add(path)
      return
    }
    const below = path === '' ? '' : `${path}.`
    for (const [key, child] of Object.entries(properties)) {
      if (part[key] !== undefined) visit(child, part[key], `${below}${key}`)
      for (const { flag, const: word } of child.anyOf ?? []) {
        if (flag !== undefined && part[flag] === true) used.add(`${below}${key}.${word}`)
      }
    }
    if (entries !== undefined) for (const entry of Object.values(part)) visit(entries, entry, path)
  }
}

function isDefault(shape: Shape, value: unknown): boolean {
  if (isObject(value)) return Object.keys(value).length === 0
  if (Array.isArray(value)) return value.length === 0
  return shape.default !== undefined && !shape.optional && value === read(shape, shape.default, [], plainReader)
}

/** Reader of defaults, which need no checks. */
const plainReader: FormReader = { resolvePath: path => path, findSignal: name => name, complain: () => {} }
