import { hash } from 'node:crypto'
import { createDictionary } from '../../core/dictionary.ts'
import { isObject } from '../../core/outside-value.ts'
import { type Located, type ParsedText, parseYaml, type YamlDocument } from './yaml-document.ts'

/**
 * Parse cache: parsed texts by their digest, without those that have problems. Parsing would take a third of the CPU time of a plan
 * without changes.
 */
export interface ParseCache {
  /** As `parseYaml`. */
  parse(text: string): ParsedText
  /**
   * Returns what was parsed, to open the next cache with; undefined if too little is new to be worth writing. Afterwards nothing is
   * cached any more.
   */
  close(): ParseCacheContent | undefined
}

/** Plain data, for JSON. */
export interface ParseCacheContent {
  readonly version: string
  readonly texts: Readonly<Record<string, readonly CachedDocument[]>>
}

/** Data of a document and the position of its name, which every facility needs. */
type CachedDocument = readonly [value: unknown, name: Located]

/** Fewest texts that are worth caching. */
const fewestTexts = 50

/** One of this many texts has to be new for the cache to be written again. */
const novelty = 20

const namePath = ['metadata', 'name']

/** `version`: of the program, as another one may parse a text differently. `load`: reads the content when it is first needed. */
export function createParseCache(version: string, load: () => unknown): ParseCache {
  let known: ReadonlyMap<string, readonly CachedDocument[]> | undefined
  let asked: Map<string, readonly CachedDocument[]> | undefined = new Map()
  let news = 0

  return {
    parse(text) {
      if (asked === undefined) return parseYaml(text)
      known ??= readContent(load(), version)
      const digest = hash('sha256', text, 'base64')
      const before = known.get(digest)
      if (before !== undefined) {
        asked.set(digest, before)
        return { documents: restore(text, before), problems: [] }
      }
      const parsed = parseYaml(text)
      const documents = parsed.problems.length === 0 ? parsed.documents.map(toCached) : []
      if (documents.length > 0 && documents.every(isPlain)) {
        asked.set(digest, documents)
        news += 1
      }
      return parsed
    },
    close() {
      const texts = asked
      asked = undefined
      known = undefined
      if (texts === undefined || texts.size < fewestTexts || news * novelty < texts.size) return undefined
      return { version, texts: createDictionary(texts) }
    },
  }
}

function toCached(document: YamlDocument): CachedDocument {
  return [document.value, document.locate(namePath)]
}

/** Restores documents. They are parsed again for any other position, which only a diagnostic needs. */
function restore(text: string, cached: readonly CachedDocument[]): YamlDocument[] {
  let again: readonly YamlDocument[] | undefined
  return cached.map(([value, name], index) => ({
    value,
    locate(path, atKey) {
      if (atKey !== true && path.length === 2 && path.every((part, depth) => part === namePath[depth])) return name
      again ??= parseYaml(text).documents
      return again[index]?.locate(path, atKey) ?? { offset: 0 }
    },
  }))
}

function isPlain([value]: CachedDocument): boolean {
  return isPlainValue(value)
}

/** JSON has neither infinity nor a negative zero. */
function isPlainValue(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(isPlainValue)
}

function readContent(content: unknown, version: string): ReadonlyMap<string, readonly CachedDocument[]> {
  if (!isObject(content) || content.version !== version || !isObject(content.texts)) return new Map()
  const entries = Object.entries(content.texts)
  return new Map(entries.flatMap(([digest, documents]) => (areDocuments(documents) ? [[digest, documents]] : [])))
}

function areDocuments(value: unknown): value is readonly CachedDocument[] {
  return Array.isArray(value) && value.every(one => Array.isArray(one) && one.length === 2 && isLocated(one[1]))
}

function isLocated(value: unknown): value is Located {
  if (!isObject(value) || typeof value.offset !== 'number') return false
  return value.source === undefined || typeof value.source === 'string'
}
