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
  const usual: Reading['usual'] = new Map()
  return {
    // The type is made from the same schema as the shape.
    read: (value, reader) => read(shape, value, undefined, { ...reader, usual }) as Normal,
    listUses: value => listUses(shape, value, usual),
  }
}

type Fields = Readonly<Record<string, unknown>>

/** With the fields that a document may leave out, as they are then, by the shape of their table: most documents leave out most. */
interface Reading extends FormReader {
  readonly usual: Map<Shape, Fields>
}

function usualOf(shape: Shape, usual: Reading['usual']): Fields {
  const known = usual.get(shape)
  if (known !== undefined) return known
  // Schemas write the paths and signals of their defaults as in normal form.
  const reading: Reading = { resolvePath: path => path, findSignal: name => name, complain() {}, usual }
  const fields: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(shape.properties ?? {})) {
    if (child.default !== undefined && !child.optional) readField(fields, key, child, child.default, undefined, reading)
  }
  freezeAll(fields)
  usual.set(shape, fields)
  return fields
}

function freezeAll(value: unknown): void {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) freezeAll(part)
  Object.freeze(value)
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

function refuse(message: string, place: Place | undefined, reader: Reading, ...below: FormPath): undefined {
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
      if (!namesFile(text)) refuse(`must name a file ${withoutDetours}, found "${text}"`, place, reader)
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

const withoutDetours = 'without "." or "..", empty parts or a slash at the end'

function namesFile(path: string): boolean {
  const parts = path.split('/').slice(1)
  return parts.every(part => part !== '' && part !== '.' && part !== '..')
}

function readList(shape: Shape, list: readonly unknown[], place: Place | undefined, reader: Reading): unknown[] {
  if (shape.form === 'command' && list[0] === '') refuse('must name a program, found an empty text', place, reader, 0)
  return list.map((item, index) => read(shape.items ?? {}, item, { above: place, key: index }, reader))
}

function readTable(shape: Shape, table: Fields, place: Place | undefined, reader: Reading): Fields {
  const { properties = {}, required = [], oneOf = [], names = {}, entries } = shape
  const normal: Record<string, unknown> =
    entries === undefined ? { ...usualOf(shape, reader.usual) } : createDictionary()
  for (const key of Object.keys(table)) {
    const value = table[key]
    const child = lookUp(properties, key)
    if (child !== undefined) {
      if (value !== undefined) readField(normal, key, child, value, place, reader)
    } else if (entries === undefined) refuse('is no known field', place, reader, key)
    else if (!isWithin(names, key)) refuse(`is not ${names.title}`, place, reader, key)
    else normal[key] = read(entries, value, { above: place, key }, reader)
  }
  for (const key of required) {
    if (lookUp(table, key) !== undefined) continue
    refuse(`must be ${lookUp(properties, key)?.title}, found nothing`, place, reader, key)
  }
  if (oneOf.length > 0 && oneOf.filter(key => lookUp(table, key) !== undefined).length !== 1) {
    refuse(`must have exactly one of ${oneOf.join(' and ')}`, place, reader)
  }
  return normal
}

function readField(
  normal: Record<string, unknown>,
  key: string,
  child: Shape,
  value: unknown,
  place: Place | undefined,
  reader: Reading,
): void {
  const flag = child.anyOf?.find(way => way.flag !== undefined && way.const === value)?.flag
  if (flag === undefined) normal[key] = read(child, value, { above: place, key }, reader)
  else normal[flag] = true
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

function listUses(shape: Shape, value: unknown, usual: Reading['usual']): ReadonlySet<string> {
  const used = new Set<string>()
  visit(shape, value, '')
  return used

  function visit(node: Shape, part: unknown, path: string): void {
    const way = node.anyOf === undefined ? node : (wayOf(node, part) ?? {})
    if (!isObject(part) || way.whole) {
      if (!isEmpty(part)) used.add(path)
      return
    }
    const { properties = {}, entries } = way
    const ordinary = usualOf(way, usual)
    const below = path === '' ? '' : `${path}.`
    for (const key in properties) {
      const child = properties[key]
      if (child === undefined) continue
      if (part[key] !== undefined && part[key] !== ordinary[key]) visit(child, part[key], `${below}${key}`)
      for (const { flag, const: word } of child.anyOf ?? []) {
        if (flag !== undefined && part[flag] === true) used.add(`${below}${key}.${word}`)
      }
    }
    if (entries !== undefined) for (const entry of Object.values(part)) visit(entries, entry, path)
  }
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return isObject(value) && Object.keys(value).length === 0
}
