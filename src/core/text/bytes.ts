/** A byte order mark is part of the text: without it, files that differ would look the same. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}

/** Undefined if it isn't UTF-8 text. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined // not text: the one thing that a fatal decoder throws for
  }
}
