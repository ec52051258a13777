import { createHash } from 'node:crypto'
import { ReeveError } from '../core/reeve-error.ts'

/** What `git cat-file --batch` says of each object that it was asked for, in that order. */
export type BatchAnswer = GitObject | { readonly missing: string }

export interface GitObject {
  /** The id that its content has, and under which it was asked for. */
  readonly id: string
  readonly type: 'blob' | 'tree' | 'commit' | 'tag'
  readonly content: Uint8Array
}

export interface TreeEntry {
  /** As git writes it: `100644`, `100755`, `120000` (symlink), `40000` (tree), `160000` (another repository's commit). */
  readonly mode: string
  /** Any bytes but / and NUL, decoded as UTF-8. Undefined: they are no UTF-8. */
  readonly name: string | undefined
  readonly id: string
}

export interface CommitFacts {
  readonly tree: string
  readonly parents: readonly string[]
  /** NAME <ADDRESS>, as the author wrote it. */
  readonly author: string
  /** By the committer's clock: milliseconds since 1970. */
  readonly time: number
  /** The first line of the message. */
  readonly subject: string
}

/**
 * Takes the output of `git cat-file --batch` apart. Each object's content is hashed, so that a corrupted repository can't pass
 * anything under the id of something else. Throws ReeveError `failed` for an object whose content doesn't have its id, and for
 * output that ends early.
 */
export function parseBatch(output: Uint8Array): BatchAnswer[] {
  const answers: BatchAnswer[] = []
  const bytes = Buffer.from(output.buffer, output.byteOffset, output.byteLength)
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf(10, at)
    if (end === -1) throw corrupt('its answer ends early')
    const line = bytes.toString('latin1', at, end)
    at = end + 1
    if (line.endsWith(' missing')) {
      answers.push({ missing: line.slice(0, -' missing'.length) })
      continue
    }
    const [id = '', type = '', size] = line.split(' ')
    const length = Number(size)
    if (!isObjectType(type) || !Number.isSafeInteger(length)) throw corrupt(`it said: ${id} ${type}`)
    if (at + length >= bytes.length) throw corrupt('its answer ends early')
    const content = bytes.subarray(at, at + length)
    at += length + 1
    expectId(id, type, content)
    answers.push({ id, type, content })
  }
  return answers
}

/** Of a SHA-256 repository, ids have 64 digits. */
function expectId(id: string, type: string, content: Uint8Array): void {
  const hash = createHash(id.length === 64 ? 'sha256' : 'sha1')
  const found = hash.update(`${type} ${content.byteLength}\0`).update(content).digest('hex')
  if (found !== id) throw corrupt(`the content of ${type} ${id} is another's: its id is ${found}`)
}

function isObjectType(word: string): word is GitObject['type'] {
  return word === 'blob' || word === 'tree' || word === 'commit' || word === 'tag'
}

export function parseTree({ id, content }: GitObject): TreeEntry[] {
  const entries: TreeEntry[] = []
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const idLength = id.length / 2
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(32, at)
    const end = space === -1 ? -1 : bytes.indexOf(0, space)
    if (end === -1 || end + 1 + idLength > bytes.length) throw corrupt(`tree ${id} ends early`)
    entries.push({
      mode: bytes.toString('latin1', at, space),
      name: decode(bytes.subarray(space + 1, end)),
      id: bytes.toString('hex', end + 1, end + 1 + idLength),
    })
    at = end + 1 + idLength
  }
  return entries
}

/** How much of a commit's subject and author is kept, in characters. */
const longestLine = 1_000

/** The last moment that has a date, in ms since 1970: git's own reach further. */
const lastTime = 8.64e15

export function parseCommit({ id, content }: GitObject): CommitFacts {
  const text = new TextDecoder().decode(content)
  const end = text.indexOf('\n\n')
  const [header, message] = end === -1 ? [text, ''] : [text.slice(0, end), text.slice(end + 2)]
  const valuesOf = (key: string): string[] =>
    header.split('\n').flatMap(line => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []))
  const [tree] = valuesOf('tree')
  const [committer = ''] = valuesOf('committer')
  if (tree === undefined) throw corrupt(`commit ${id} names no tree`)
  const time = Number(/ (-?\d+) [+-]\d+$/.exec(committer)?.[1] ?? 0) * 1000
  return {
    tree,
    parents: valuesOf('parent'),
    author: bounded((valuesOf('author')[0] ?? '').replace(/ -?\d+ [+-]\d+$/, '')),
    time: Math.max(-lastTime, Math.min(lastTime, time)),
    subject: bounded(message.trimStart().split('\n', 1)[0] ?? ''),
  }
}

/** It stands in the status and in every record of a revision, and anybody who can push writes it. */
function bounded(text: string): string {
  return text.length <= longestLine ? text : `${text.slice(0, longestLine - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function corrupt(what: string): ReeveError {
  return new ReeveError('failed', `the local copy of the repository is corrupt: ${what}`)
}
