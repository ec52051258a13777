import {
  type Alias,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type ParsedNode,
  parseAllDocuments,
  type YAMLParseError,
} from 'yaml'
import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import type { FieldPath, TextProblem } from '../diagnostics/problem.ts'
import { exceedsDepth } from './yaml-depth.ts'

/** YAML document as plain data. */
export interface YamlDocument {
  readonly value: unknown
  /** Position of the value at `path`, of its key, or of the nearest parent that exists. */
  locate(path: FieldPath, atKey?: boolean): Located
}

export interface Located {
  /** In UTF-16 units, from 0. */
  readonly offset: number
  /** Source text of a plain scalar: `0644` where the value is 644. */
  readonly source?: string
}

export interface ParsedText {
  /** Documents without syntax problems that hold anything. */
  readonly documents: readonly YamlDocument[]
  readonly problems: readonly TextProblem[]
}

const maximumDepth = 200

/** The aliases of a document may expand to this many characters and nodes. */
const maximumExpansion = 4 * 1024 * 1024

/**
 * Reads YAML 1.2 (core schema) or JSON: plain data only, text keys, no merge keys, no tags, each key once.
 * Never throws; takes time in proportion to the length.
 */
export function parseYaml(text: string): ParsedText {
  // The parser calls itself per level, and V8 can abort the process when the stack ends inside a regular expression.
  if (exceedsDepth(text, maximumDepth)) {
    return {
      documents: [],
      problems: [
        {
          code: 'nested-too-deeply',
          message: `nested more than ${maximumDepth} levels deep: not a manifest`,
          offset: 0,
        },
      ],
    }
  }
  const documents: YamlDocument[] = []
  const problems: TextProblem[] = []
  for (const parsed of parseAllDocuments<ParsedNode>(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
    uniqueKeys: false, // done below: the parser's own check compares each key with each other
  })) {
    const [error] = parsed.errors
    if (error !== undefined) {
      problems.push(explainSyntaxError(text, error))
      continue
    }
    if (parsed.directives.yaml.explicit === true && parsed.directives.yaml.version !== '1.2') {
      problems.push({ code: 'unsupported-yaml', message: 'YAML 1.2 is read here: drop the %YAML directive', offset: 0 })
      continue
    }
    const [warning] = parsed.warnings
    if (warning !== undefined) {
      const message = `${lowerFirst(warning.message)}; tags are not part of manifests`
      problems.push({ code: 'unsupported-yaml', message, offset: warning.pos[0] })
      continue
    }
    const { contents } = parsed
    if (contents === null || (isScalar(contents) && contents.value === null)) continue
    const reader = createPlainReader(contents)
    const value = reader.read(contents)
    if (reader.problems.length > 0) problems.push(...reader.problems)
    else documents.push({ value, locate: (path, atKey) => locate(contents, path, atKey === true, reader.targets) })
  }
  return { documents, problems }
}

/** Hint at the usual cause of a syntax error, if one is known. */
function explainSyntaxError(text: string, error: YAMLParseError): TextProblem {
  const conflict = /^(<{7}|={7}|>{7})(?= |$)/m.exec(text)
  if (conflict !== null) {
    return { code: 'yaml-syntax', message: 'a merge conflict is left in the file', offset: conflict.index }
  }
  const offset = error.pos[0]
  if (error.code !== 'NON_STRING_KEY') return { code: 'yaml-syntax', message: lowerFirst(error.message), offset }
  const hint = text.includes('{{') ? ': is this a template that has not been rendered?' : ''
  return { code: 'unsupported-yaml', message: `a key has to be text${hint}`, offset }
}

interface PlainReader {
  read(node: ParsedNode): unknown
  readonly problems: TextProblem[]
  /** Anchors by name. */
  readonly targets: Map<Alias.Parsed, ParsedNode>
}

/** Value of an anchor. */
interface Anchored {
  readonly node: ParsedNode
  /** Undefined while the anchor is being read, as an alias within it would never end. */
  done?: { readonly value: unknown; readonly weight: number }
}

/** Converts nodes to plain data in linear time; the parser's own conversion searches all anchors for each alias. */
function createPlainReader(root: ParsedNode): PlainReader {
  const problems: TextProblem[] = []
  const targets = new Map<Alias.Parsed, ParsedNode>()
  const anchors = new Map<string, Anchored>()
  let weight = 0
  let expanded = 0

  function report(code: DiagnosticCode, message: string, node: ParsedNode): undefined {
    problems.push({ code, message, offset: node.range[0] })
  }

  function read(node: ParsedNode | null): unknown {
    if (node === null) return null
    weight += 1
    if (isAlias(node)) return readAlias(node)
    if (node.anchor === undefined) return readContent(node)
    const anchored: Anchored = { node }
    anchors.set(node.anchor, anchored)
    const before = weight
    const value = readContent(node)
    anchored.done = { value, weight: weight - before }
    return value
  }

  function readContent(node: Exclude<ParsedNode, Alias.Parsed>): unknown {
    if (isMap(node)) return readMap(node)
    if (isSeq(node)) return node.items.map(item => read(item))
    const { value } = node
    if (typeof value === 'string') weight += value.length
    if (typeof value !== 'number') return value
    if (!Number.isFinite(value)) return report('unsupported-yaml', `${node.source} is not a number here`, node)
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return report('unsupported-yaml', `${node.source} is too large to be kept exactly: put it in quotes`, node)
    }
    return value
  }

  function readMap(node: Extract<ParsedNode, { flow?: boolean; items: { key: unknown }[] }>): unknown {
    const map: Record<string, unknown> = {}
    const seen = new Map<string, number>()
    for (const { key, value } of node.items) {
      if (!isScalar(key)) {
        report('unsupported-yaml', 'a key has to be text', key)
        continue
      }
      const name = String(key.value)
      weight += name.length
      const first = seen.get(name)
      if (first !== undefined) {
        const isDocument = node === root && name === 'apiVersion'
        const hint = isDocument ? '; a line of --- goes between two documents' : ''
        const message = `the key "${name}" stands here a second time${hint}`
        problems.push({ code: 'duplicate-key', message, offset: key.range[0], first })
        if (isDocument) break
      } else if (name === '<<')
        report('unsupported-yaml', 'merge keys are not part of YAML 1.2: write the fields out', key)
      else if (name === '__proto__') report('unsupported-yaml', '__proto__ cannot be a key', key)
      else map[name] = read(value)
      seen.set(name, key.range[0])
    }
    return map
  }

  function readAlias(node: Alias.Parsed): unknown {
    const anchored = anchors.get(node.source)
    if (anchored === undefined) return report('yaml-syntax', `no anchor &${node.source} stands before this alias`, node)
    if (anchored.done === undefined) return report('alias-expansion', `*${node.source} contains itself`, node)
    targets.set(node, anchored.node)
    weight += anchored.done.weight
    expanded += anchored.done.weight
    if (expanded <= maximumExpansion) return anchored.done.value
    expanded = Number.NEGATIVE_INFINITY // once is enough
    return report('alias-expansion', 'the aliases expand to more than 4 MiB: write the document without them', node)
  }

  return { read, problems, targets }
}

function locate(
  root: ParsedNode,
  path: FieldPath,
  atKey: boolean,
  targets: ReadonlyMap<Alias.Parsed, ParsedNode>,
): Located {
  let node: ParsedNode = root
  let at: Located = { offset: firstKey(root) }
  for (const [index, part] of path.entries()) {
    const collection: ParsedNode = isAlias(node) ? (targets.get(node) ?? node) : node
    if (isMap(collection)) {
      const pair = collection.items.find(item => isScalar(item.key) && String(item.key.value) === String(part))
      if (pair === undefined) return at
      const isEmpty = pair.value === null || (isScalar(pair.value) && pair.value.source === '')
      if (pair.value === null || isEmpty || (atKey && index === path.length - 1)) return { offset: pair.key.range[0] }
      // For a missing field, the key is a clearer position than the first child.
      node = pair.value
      at = { offset: pair.key.range[0] }
    } else if (isSeq(collection) && typeof part === 'number') {
      const item = collection.items[part]
      if (item === undefined || isPair(item)) return at
      node = item
      at = { offset: item.range[0] }
    } else {
      return at
    }
  }
  if (isMap(node) || isSeq(node)) return at
  if (!isScalar(node) || node.source === undefined) return { offset: node.range[0] }
  return { offset: node.range[0], source: node.source }
}

/** The document's first key, or where it starts. */
function firstKey(root: ParsedNode): number {
  if (!isMap(root)) return root.range[0]
  return root.items[0]?.key.range[0] ?? root.range[0]
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
