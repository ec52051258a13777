import { tryTo } from './try-to.ts'
/** Values from outside, of which no type tells. */

/** An object of unknown content. */
export type Table = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Undefined if the text is no JSON. */
export function parseJson(text: string): unknown {
  return tryTo(() => JSON.parse(text))
}

/** Undefined if the text is no JSON object. */
export function parseObject(text: string): Table | undefined {
  const value = parseJson(text)
  return isObject(value) ? value : undefined
}

export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(one => typeof one === 'string')
}

/** In few words, for people. */
export function describeValue(value: unknown): string {
  if (value instanceof Promise) return 'a promise'
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value)
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
