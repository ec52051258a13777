import { join } from 'node:path'
import type { ReadHost } from '../core/contracts/host.ts'
import type { RevisionFacts } from '../core/contracts/source-status.ts'
import type { GitSourceConfiguration } from '../core/model/source-configuration.ts'
import { isObject } from '../core/outside-value.ts'
import { formatMark } from '../core/state/revision-mark.ts'
import type { ScratchHost } from '../host/scratch.ts'
import { sha256 } from '../host/sha256.ts'
import { readTrusted } from '../host/trusted-reading.ts'

/** A commit that was fetched, verified and exported. */
export interface Revision extends RevisionFacts {
  /** Id of the tree at the path of the manifests: equal content has equal ids. */
  readonly tree: string
  /** The id that the reference had on the server when it was fetched: a tag's own, for an annotated one. */
  readonly referenceId: string
}

/** What is remembered of a source. Lost, it is fetched again; what comes has to descend from the newest mark on what Reeve owns. */
export interface SourceState {
  /** The URL and the wish that it is about: with others, it says nothing. */
  readonly key: string
  /** The newest that was accepted, whether or not it is in force: what comes next has to descend from it. */
  readonly head?: Revision
  /** How many were accepted so far, on this host. */
  readonly count?: number
  /** The one in force. */
  readonly revision?: Revision
  /** The commit that a person said may take the place of one that it doesn't descend from. */
  readonly accepted?: string
}

const file = 'state.json'

/** Of a source that is asked for another revision, or another repository, nothing that was remembered holds. */
export function keyOf({ url, wish, path }: Pick<GitSourceConfiguration, 'url' | 'wish' | 'path'>): string {
  return JSON.stringify([url.text, wish, path])
}

/** The same, as it stands in marks. */
export function sourceIdOf(key: string): string {
  return sha256(key).slice(0, 16)
}

/** The mark of the newest accepted revision. Undefined: none was accepted yet. `healthy`: commit of the newest healthy one. */
export function markOf({ key, head, count, revision }: SourceState, healthy?: string): string | undefined {
  if (!head || count === undefined) return undefined
  const { commit, tree } = head
  const mark = { count, commit, tree, source: sourceIdOf(key) }
  if (revision && revision.commit !== commit) return formatMark({ ...mark, inForce: revision.commit })
  return formatMark(healthy === undefined || healthy === commit ? mark : { ...mark, healthy })
}

export function readSourceState(directory: string, key: string, host: ReadHost): SourceState {
  const text = readTrusted(join(directory, file), host)
  const value = text === undefined ? undefined : parse(text)
  if (!isObject(value) || value.key !== key) return { key }
  const { head, count, revision, accepted } = value
  return {
    key,
    ...(isRevision(head) && { head }),
    ...(typeof count === 'number' && Number.isSafeInteger(count) && count > 0 && { count }),
    ...(isRevision(revision) && { revision }),
    ...(typeof accepted === 'string' && { accepted }),
  }
}

export function writeSourceState(directory: string, state: SourceState, host: ScratchHost): void {
  host.writeFile(join(directory, file), `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 })
}

export function isRevision(value: unknown): value is Revision {
  if (!isObject(value)) return false
  const { commit, reference, referenceId, tree, subject, author, committedAt, since } = value
  const words = [reference, referenceId, tree, subject, author, committedAt, since]
  const isWhole = words.every(word => typeof word === 'string')
  return isWhole && typeof commit === 'string' && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)
}

/** A file that a full disk cut off says nothing. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
