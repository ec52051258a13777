export interface RemoteReference {
  /** `refs/heads/main`, `refs/tags/v1.2.3`. */
  readonly name: string
  /** Of the object that it leads to: for an annotated tag, the tag's. */
  readonly id: string
}

/** Of `git ls-remote --symref`. */
export function parseReferences(text: string): { references: RemoteReference[]; head?: string } {
  const references: RemoteReference[] = []
  let head: string | undefined
  for (const line of text.split('\n')) {
    const [first = '', name] = line.split('\t')
    if (name === undefined) continue
    if (first.startsWith('ref: ')) {
      if (name === 'HEAD') head = first.slice('ref: '.length)
    } else if (name !== 'HEAD') references.push({ name, id: first })
  }
  return { references, ...(head !== undefined && { head }) }
}
