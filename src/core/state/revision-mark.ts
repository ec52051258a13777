/** The newest accepted revision of the host's source, as it stands in markers: what comes after the loss of the state has to descend from it. */
export interface RevisionMark {
  /** How many revisions the host had accepted by then: of two marks, the one with more is newer. */
  readonly count: number
  readonly commit: string
  /** Id of the tree at the path of the manifests. */
  readonly tree: string
  /** Digits that tell one source from another: marks of another say nothing. */
  readonly source: string
}

const id = '(?:[0-9a-f]{40}|[0-9a-f]{64})'
const form = new RegExp(`^revision:([1-9]\\d{0,14}):(${id}):(${id}):([0-9a-f]{16})$`)
const anyMark = new RegExp(`revision:[1-9]\\d{0,14}:${id}:${id}:[0-9a-f]{16}`, 'y')

export function formatMark({ count, commit, tree, source }: RevisionMark): string {
  return `revision:${count}:${commit}:${tree}:${source}`
}

/** Undefined for text that is no mark. */
export function parseMark(text: string): RevisionMark | undefined {
  const [, count, commit, tree, source] = form.exec(text) ?? []
  if (count === undefined || commit === undefined || tree === undefined || source === undefined) return undefined
  return { count: Number(count), commit, tree, source }
}

/** The newest mark of a source. */
export function findNewestMark(marks: readonly string[], source: string): RevisionMark | undefined {
  return marks
    .flatMap(text => parseMark(text) ?? [])
    .filter(mark => mark.source === source)
    .reduce<RevisionMark | undefined>(
      (newest, mark) => (newest && newest.count >= mark.count ? newest : mark),
      undefined,
    )
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
