import { hash } from 'node:crypto'
import { createDictionary } from '../../core/dictionary.ts'
import { type Located, type ParsedText, parseYaml, type YamlDocument } from './yaml-document.ts'

/**
 * What texts were found to say when they were parsed, which takes most of the time of a look with nothing to do. It holds
 * only what can be had again from the texts, by their digest, and of those only that have no problems.
 */
export interface ParseCache {
  /** As `parseYaml`. */
  parse(text: string): ParsedText
  /**
   * What was asked for, to open the next one with; undefined if too little of it is new to be worth that. From then on it
   * remembers nothing: whoever goes on reading remembers by itself what it has read.
   */
  close(): ParseCacheContent | undefined
}

/** Plain data, for JSON. */
export interface ParseCacheContent {
  readonly version: string
  readonly texts: Readonly<Record<string, readonly RememberedDocument[]>>
}

/** Its data, and where its name stands, which is asked of every facility. */
type RememberedDocument = readonly [value: unknown, name: Located]

/** So few are parsed as soon as they are found. */
const fewestTexts = 50

/** One in so many has to be new for the whole to be kept anew. */
const novelty = 20

const namePath = ['metadata', 'name']

/** `version`: of the program, as another one may read the same text otherwise. `load`: called when it is first needed. */
export function createParseCache(version: string, load: () => unknown): ParseCache {
  let known: ReadonlyMap<string, readonly RememberedDocument[]> | undefined
  let asked: Map<string, readonly RememberedDocument[]> | undefined = new Map()
  let news = 0

  return {
    parse(text) {
      if (asked === undefined) return parseYaml(text)
      known ??= readContent(load(), version)
      const digest = hash('sha256', text, 'base64')
      const before = known.get(digest)
      if (before !== undefined) {
        asked.set(digest, before)
        return { documents: recall(text, before), problems: [] }
      }
      const parsed = parseYaml(text)
      const documents = parsed.problems.length === 0 ? parsed.documents.map(remember) : []
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

function remember(document: YamlDocument): RememberedDocument {
  return [document.value, document.locate(namePath)]
}

/** Where else something stands is asked for only when there is something wrong with it. */
function recall(text: string, remembered: readonly RememberedDocument[]): YamlDocument[] {
  let again: readonly YamlDocument[] | undefined
  return remembered.map(([value, name], index) => ({
    value,
    locate(path, atKey) {
      if (atKey !== true && path.length === 2 && path.every((part, depth) => part === namePath[depth])) return name
      again ??= parseYaml(text).documents
      return again[index]?.locate(path, atKey) ?? { offset: 0 }
    },
  }))
}

function isPlain([value]: RememberedDocument): boolean {
  return isPlainValue(value)
}

/** JSON knows neither infinity nor a negative zero. */
function isPlainValue(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(isPlainValue)
}

function readContent(content: unknown, version: string): ReadonlyMap<string, readonly RememberedDocument[]> {
  if (!isTable(content) || content.version !== version || !isTable(content.texts)) return new Map()
  const entries = Object.entries(content.texts)
  return new Map(entries.flatMap(([digest, documents]) => (areDocuments(documents) ? [[digest, documents]] : [])))
}

function areDocuments(value: unknown): value is readonly RememberedDocument[] {
  return Array.isArray(value) && value.every(one => Array.isArray(one) && one.length === 2 && isLocated(one[1]))
}

function isLocated(value: unknown): value is Located {
  if (!isTable(value) || typeof value.offset !== 'number') return false
  return value.source === undefined || typeof value.source === 'string'
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
