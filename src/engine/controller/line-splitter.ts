/** Joins pieces of output into whole lines, each with the same prefix. */
export interface LineSplitter {
  /** Gives the lines that this piece completes. */
  push(piece: Uint8Array): Uint8Array
  /** Number of bytes of the incomplete line. */
  pending(): number
  /** Gives the incomplete line as a line. */
  end(): Uint8Array
}

/** Longest line in bytes; a longer one is cut. */
export const longestLine: number = 16 * 1024

const lineEnd = 0x0a

export function createLineSplitter(prefix: string): LineSplitter {
  const head = Buffer.from(prefix)
  const tail = Buffer.of(lineEnd)
  let rest: Uint8Array = new Uint8Array()

  return {
    push(piece) {
      const lines: Uint8Array[] = []
      const all = Buffer.concat([rest, piece])
      let start = 0
      for (let end = all.indexOf(lineEnd); start < all.length; end = all.indexOf(lineEnd, start)) {
        const isCut = end === -1 ? all.length - start >= longestLine : end - start > longestLine
        if (end === -1 && !isCut) break
        const stop = isCut ? start + longestLine : end
        lines.push(head, all.subarray(start, stop), tail)
        start = isCut ? stop : stop + 1
      }
      rest = all.subarray(start)
      return Buffer.concat(lines)
    },
    pending: () => rest.length,
    end() {
      const line = rest.length === 0 ? new Uint8Array() : Buffer.concat([head, rest, tail])
      rest = new Uint8Array()
      return line
    },
  }
}
