import { createDictionary, type Dictionary, lookUp } from '../dictionary.ts'
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

/** Reads documents of one shape; made once, and used for each of them. */
export interface Form<Normal> {
  /** Reads an untrusted value into normal form. Every problem is passed to `complain`; the result is then incomplete. */
  read(value: unknown, reader: FormReader): Normal
  /**
   * The paths of the portable fields that a value in normal form uses. A default that changes nothing isn't a use. Keys of maps don't
   * count.
   */
  listUses(value: Normal): ReadonlySet<string>
}

export function createForm<Normal>(shape: Shape<Normal>): Form<Normal> {
  const defaults = new Map<Shape, unknown>()
  collectDefaults(shape, defaults)
  return {
    // The type is made from the same schema as the shape.
    read: (value, reader) => read(shape, value, undefined, { ...reader, defaults }) as Normal,
    listUses: value => listUses(shape, value, defaults),
  }
}

/** With the defaults in normal form, of fields below the shape that have one for every reader: most documents have most of them. */
interface Reading extends FormReader {
  readonly defaults: ReadonlyMap<Shape, unknown>
}

function collectDefaults(shape: Shape, defaults: Map<Shape, unknown>): void {
  const { anyOf = [], entries, items, properties = {} } = shape
  const below = [...anyOf, ...Object.values(properties), ...(entries ? [entries] : []), ...(items ? [items] : [])]
  for (const child of below) collectDefaults(child, defaults)
  const isFlag = anyOf.some(way => way.flag !== undefined && way.const === shape.default)
  if (shape.default === undefined || shape.optional || isFlag || defaults.has(shape)) return
  let isForAll = true
  const forAll = (text: string): string => {
    isForAll = false
    return text
  }
  const reading = { resolvePath: forAll, findSignal: forAll, complain: () => {}, defaults }
  const normal = read(shape, shape.default, undefined, reading)
  if (isForAll) defaults.set(shape, freezeAll(normal))
}

function freezeAll<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) freezeAll(part)
  return Object.freeze(value)
}

/** The place of a value below another one; undefined: the top. Most are never told of, so that none is written out for them. */
interface Place {
  readonly above: Place | undefined
  readonly key: string | number
}

function pathOf(place: Place | undefined): FormPath {
  return place === undefined ? [] : [...pathOf(place.above), place.key]
}

function read(shape: Shape, value: unknown, place: Place | undefined, reader: Reading): unknown {
  const way = wayOf(shape, value)
  if (way === undefined || !isWithin(way, value)) return refuse(`must be ${shape.title}`, place, reader)
  if (way !== shape) return read(way, value, place, reader)
  if (typeof value === 'string') return shape.form === undefined ? value : readText(shape, value, place, reader)
  if (shape.type === undefined || typeof value !== 'object') return value
  if (Array.isArray(value)) return readList(shape, value, place, reader)
  return isObject(value) ? readTable(shape, value, place, reader) : value
}

function refuse(message: string, place: Place | undefined, reader: Reading, ...below: string[]): undefined {
  reader.complain({ code: 'invalid-value', path: [...pathOf(place), ...below], message })
}

/** The shape, or its first alternative, that fits the value's type. */
function wayOf(shape: Shape, value: unknown): Shape | undefined {
  if (shape.anyOf !== undefined) return shape.anyOf.find(way => wayOf(way, value) !== undefined)
  if (shape.const !== undefined) return value === shape.const ? shape : undefined
  if (shape.enum !== undefined) return shape.enum.includes(value) ? shape : undefined
  const { type } = shape
  const fits = typeof type === 'string' ? isOfType(value, type) : (type?.some(one => isOfType(value, one)) ?? true)
  return fits ? shape : undefined
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

function readText({ form, atLeast, atMost }: Shape, text: string, place: Place | undefined, reader: Reading): unknown {
  const bound = (parse: (text: string) => number): number => {
    const amount = parse(text)
    const isLess = atLeast !== undefined && amount < parse(atLeast)
    if (isLess || (atMost !== undefined && amount > parse(atMost))) {
      const message = `must be ${isLess ? `at least ${atLeast}` : `at most ${atMost}`}, found ${text}`
      reader.complain({ code: 'out-of-bounds', path: pathOf(place), message })
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
      return reader.resolvePath(text) ?? refuse(`must be an absolute path, found ${text}`, place, reader)
    case 'file':
      if (!namesFile(text)) {
        refuse(
          `must name a file without "." or "..", empty parts or a slash at the end, found "${text}"`,
          place,
          reader,
        )
      }
      return text
    case 'signal': {
      const name = reader.findSignal(text)
      if (name !== undefined) return name
      const message = `must be a signal that this system has, found "${text}"`
      reader.complain({ code: 'unknown-signal', path: pathOf(place), message, signal: text })
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

function readList(shape: Shape, list: readonly unknown[], place: Place | undefined, reader: Reading): unknown[] {
  if (shape.form === 'command' && list[0] === '') {
    reader.complain({
      code: 'invalid-value',
      path: [...pathOf(place), 0],
      message: 'must name a program, found an empty text',
    })
  }
  return list.map((item, index) => read(shape.items ?? {}, item, { above: place, key: index }, reader))
}

function readTable(
  shape: Shape,
  table: Readonly<Record<string, unknown>>,
  place: Place | undefined,
  reader: Reading,
): Readonly<Record<string, unknown>> {
  const { properties = {}, required = [], oneOf = [], names = {}, entries } = shape
  const normal: Record<string, unknown> = entries === undefined ? {} : createDictionary()
  for (const [key, value] of Object.entries(table)) {
    if (Object.hasOwn(properties, key)) continue
    if (entries === undefined) refuse('is no known field', place, reader, key)
    else if (!isWithin(names, key)) refuse(`is not ${names.title}`, place, reader, key)
    else normal[key] = read(entries, value, { above: place, key }, reader)
  }
  if (oneOf.length > 0 && oneOf.filter(key => lookUp(table, key) !== undefined).length !== 1) {
    refuse(`must have exactly one of ${oneOf.join(' and ')}`, place, reader)
  }
  for (const key in properties) {
    const child = properties[key]
    if (child === undefined) continue
    const isGiven = Object.hasOwn(table, key) && table[key] !== undefined
    if (!isGiven && reader.defaults.has(child)) {
      normal[key] = reader.defaults.get(child)
      continue
    }
    const value = isGiven || child.optional ? table[key] : child.default
    const flag = child.anyOf?.find(way => way.flag !== undefined && way.const === value)?.flag
    if (flag !== undefined) normal[flag] = true
    else if (value !== undefined) normal[key] = read(child, value, { above: place, key }, reader)
    else if (required.includes(key)) refuse(`must be ${child.title}, found nothing`, place, reader, key)
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
    const document: Dictionary<unknown> = createDictionary()
    for (const key of properties === undefined ? Object.keys(value).sort() : Object.keys(properties)) {
      const field = lookUp(value, key)
      if (field !== undefined) document[key] = present(properties?.[key] ?? entries, field)
    }
    return document
  }
  if (typeof value !== 'number') return value
  if (form === 'duration') return formatDuration(value)
  if (form === 'size') return formatSize(value)
  return form === 'octal' ? value.toString(8).padStart(4, '0') : value
}

function listUses(shape: Shape, value: unknown, defaults: ReadonlyMap<Shape, unknown>): ReadonlySet<string> {
  const used = new Set<string>()
  visit(shape, value, '')
  return used

  function visit(node: Shape, part: unknown, path: string): void {
    const { properties = {}, entries, whole } = node.anyOf === undefined ? node : (wayOf(node, part) ?? {})
    if (!isObject(part) || whole) {
      if (!isDefault(node, part, defaults)) used.add(path)
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

function isDefault(shape: Shape, value: unknown, defaults: ReadonlyMap<Shape, unknown>): boolean {
  if (isObject(value)) return Object.keys(value).length === 0
  if (Array.isArray(value)) return value.length === 0
  return shape.default !== undefined && !shape.optional && value === (defaults.get(shape) ?? shape.default)
}
