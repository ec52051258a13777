/** Text of a file, which finds lines, columns and excerpts. */
import { printable } from './printable.ts'
export interface SourceText {
  readonly text: string
  /** Both from 1. The column counts UTF-16 units, as editors do. */
  positionAt(offset: number): { readonly line: number; readonly column: number }
  /** The line, and below it a caret under the column. Long lines are cut around it. */
  excerpt(line: number, column: number): string
}

const excerptWidth = 100

export function createSourceText(text: string): SourceText {
  let starts: number[] | undefined
  const lineStarts = (): number[] => {
    starts ??= findLineStarts(text)
    return starts
  }
  return {
    text,
    positionAt(offset) {
      const at = Math.min(Math.max(offset, 0), text.length)
      const line = lastAtMost(lineStarts(), at)
      return { line: line + 1, column: at - (lineStarts()[line] ?? 0) + 1 }
    },
    excerpt(line, column) {
      const start = lineStarts()[line - 1] ?? 0
      const end = lineStarts()[line] ?? text.length
      const content = text.slice(start, end).replace(/\r?\n$/, '')
      const cut = Math.max(0, column - 1 - excerptWidth / 2)
      const before = printable(content.slice(cut, column - 1))
      const after = printable(content.slice(column - 1, cut + excerptWidth))
      const head = cut > 0 ? '…' : ''
      const tail = cut + excerptWidth < content.length ? '…' : ''
      return `${head}${before}${after}${tail}\n${' '.repeat(head.length + before.length)}^`
    },
  }
}

function findLineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** The index of the last of the sorted numbers that is not above `limit`. */
function lastAtMost(sorted: readonly number[], limit: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((sorted[middle] ?? 0) <= limit) low = middle
    else high = middle - 1
  }
  return low
}
