/**
 * The newest accepted revision of the host's source, as it stands in markers. After the loss of the state, what comes has to descend from it,
 * and the marks tell what to go back to.
 */
export interface RevisionMark {
  /** How many revisions the host had accepted by then: of two marks, the one with more is newer. */
  readonly count: number
  readonly commit: string
  /** Id of the tree at the path of the manifests. */
  readonly tree: string
  /** Digits that tell one source from another: marks of another say nothing. */
  readonly source: string
  /** Commit of the revision in force, where that is another one: the accepted one was taken back. */
  readonly inForce?: string
  /** Commit of the newest healthy revision, where the accepted one is in force and not known to be healthy. */
  readonly healthy?: string
}

const id = '(?:[0-9a-f]{40}|[0-9a-f]{64})'
const pattern = `revision:([1-9]\\d{0,14}):(${id}):(${id}):([0-9a-f]{16})(?::in-force:(${id})|:healthy:(${id}))?`
const form = new RegExp(`^${pattern}$`)
const anyMark = new RegExp(pattern, 'y')

export function formatMark({ count, commit, tree, source, inForce, healthy }: RevisionMark): string {
  const mark = `revision:${count}:${commit}:${tree}:${source}`
  if (inForce !== undefined) return `${mark}:in-force:${inForce}`
  return healthy === undefined ? mark : `${mark}:healthy:${healthy}`
}

/** Undefined for text that is no mark. */
export function parseMark(text: string): RevisionMark | undefined {
  const [, count, commit, tree, source, inForce, healthy] = form.exec(text) ?? []
  if (count === undefined || commit === undefined || tree === undefined || source === undefined) return undefined
  return {
    ...{ count: Number(count), commit, tree, source },
    ...(inForce !== undefined && { inForce }),
    ...(healthy !== undefined && { healthy }),
  }
}

/** The newest mark of a source. Of several of the same revision, one that says that it was taken back is the newest. */
export function findNewestMark(marks: readonly string[], source: string): RevisionMark | undefined {
  return marks
    .flatMap(text => parseMark(text) ?? [])
    .filter(mark => mark.source === source)
    .reduce<RevisionMark | undefined>((newest, mark) => (newest && !isNewer(mark, newest) ? newest : mark), undefined)
}

function isNewer(mark: RevisionMark, than: RevisionMark): boolean {
  if (mark.count !== than.count) return mark.count > than.count
  return mark.inForce !== undefined && than.inForce === undefined
}

/** For digests, which no revision alone changes. */
export function withoutMark(text: string, mark: string | undefined): string {
  return mark === undefined ? text : text.replaceAll(mark, '')
}

/** Whether the text is the wanted one, with any mark where that has `mark`: another revision alone is no difference (E20). */
export function isSameButMark(text: string, wanted: string, mark: string): boolean {
  const [first = '', ...rest] = wanted.split(mark)
  if (rest.length === 0 || !text.startsWith(first)) return false
  let position = first.length
  for (const part of rest) {
    anyMark.lastIndex = position
    const found = anyMark.exec(text)
    if (!found || !text.startsWith(part, position + found[0].length)) return false
    position += found[0].length + part.length
  }
  return position === text.length
}
