import { structuredPatch } from 'diff'
import { bytesEqual, textOf } from './bytes.ts'
import { REDACTED, redactLines } from './secret-redaction.ts'

export interface DiffSide {
  /** Undefined: there is no file. */
  readonly content?: Uint8Array | undefined
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Shown in place of the ids. */
  readonly ownerNames?: string | undefined
}

/** Most differing lines that are shown; more are only counted, as finding them takes long. */
const MOST_EDITS = 1_000

/**
 * A unified diff with three lines of context, for people; before it, what differs in mode and owner. What looks like a
 * secret is redacted, and all of a file that not everybody may read (S4). Empty only if nothing differs.
 */
export function diffText(path: string, before: DiffSide, after: DiffSide): string {
  const facts = modeLine(before, after) + ownerLine(before, after)
  if (isSame(before, after)) return facts
  if (isPrivate(before) || isPrivate(after)) {
    return `${facts}content differs; not shown, as not everybody may read ${path}\n`
  }
  return facts + contentDiff(path, before, after)
}

/** As `diffText`, for a definition: it is shown whatever its mode, as its secrets are references. */
export function definitionDiff(path: string, before: DiffSide, after: DiffSide): string {
  return modeLine(before, after) + (isSame(before, after) ? '' : contentDiff(path, before, after))
}

function contentDiff(path: string, before: DiffSide, after: DiffSide): string {
  const old = before.content === undefined ? '' : textOf(before.content)
  const now = after.content === undefined ? '' : textOf(after.content)
  if (old === undefined || now === undefined) return `binary content of ${path} differs\n`
  const names = `--- ${before.content ? path : '/dev/null'}\n+++ ${after.content ? path : '/dev/null'}\n`
  if (old === now) return `${names}(empty)\n` // one of them isn't there
  const edits = old === '' || now === '' ? wholeEdit(old, now) : lineEdits(path, old, now)
  if (edits !== undefined) return names + edits
  return `${names}${countLines(old)} lines → ${countLines(now)} lines, too many that differ to be shown\n`
}

/** Diff with an empty text. Undefined: too many lines. */
function wholeEdit(old: string, now: string): string | undefined {
  const [sign, text] = old === '' ? ['+', now] : ['-', old]
  const count = countLines(text)
  if (count > MOST_EDITS) return undefined
  const head = sign === '+' ? `@@ -0,0 +${rangeOf(1, count)} @@` : `@@ -${rangeOf(1, count)} +0,0 @@`
  const lines = redactLines(text.split('\n')).slice(0, count)
  const end = text.endsWith('\n') ? '' : '\\ No newline at end of file\n'
  return `${head}\n${lines.map(line => `${sign}${line}\n`).join('')}${end}`
}

/** Undefined: too many lines differ. */
function lineEdits(path: string, old: string, now: string): string | undefined {
  const patch = structuredPatch(path, path, old, now, undefined, undefined, { context: 3, maxEditLength: MOST_EDITS })
  if (!patch) return undefined
  const [oldLines, newLines] = [redactLines(old.split('\n')), redactLines(now.split('\n'))]
  let text = ''
  for (const hunk of patch.hunks) {
    text += `@@ -${rangeOf(hunk.oldStart, hunk.oldLines)} +${rangeOf(hunk.newStart, hunk.newLines)} @@\n`
    let oldIndex = hunk.oldStart - 1
    let newIndex = hunk.newStart - 1
    for (const line of hunk.lines) {
      const sign = line[0]
      if (sign === '-') text += `-${oldLines[oldIndex++] ?? ''}\n`
      else if (sign === '+') text += `+${newLines[newIndex++] ?? ''}\n`
      else if (sign === ' ') text += ` ${stricter(oldLines[oldIndex++] ?? '', newLines[newIndex++] ?? '')}\n`
      else text += `${line}\n` // no newline at the end
    }
  }
  return text
}

/** A common line may belong to a secret in one of the texts only. */
function stricter(old: string, now: string): string {
  return old.includes(REDACTED) ? old : now
}

/** As diff(1) has it: of an empty range the line before it, of one line no count. */
function rangeOf(start: number, count: number): string {
  if (count === 0) return `${start - 1},0`
  return count === 1 ? `${start}` : `${start},${count}`
}

function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') || text === '' ? 1 : 0)
}

function isSame(before: DiffSide, after: DiffSide): boolean {
  if (before.content === undefined || after.content === undefined) return before.content === after.content
  return bytesEqual(before.content, after.content)
}

function modeLine(before: DiffSide, after: DiffSide): string {
  if (before.mode === undefined || after.mode === undefined || before.mode === after.mode) return ''
  return `mode ${octal(before.mode)} → ${octal(after.mode)}\n`
}

function ownerLine(before: DiffSide, after: DiffSide): string {
  if (before.uid === undefined || after.uid === undefined) return ''
  if (before.uid === after.uid && before.gid === after.gid) return ''
  const [old, now] = [before, after].map(({ ownerNames, uid, gid }) => ownerNames ?? `${uid}:${gid}`)
  return `owner ${old} → ${now}\n`
}

function isPrivate({ mode }: DiffSide): boolean {
  return mode !== undefined && (mode & 0o004) === 0
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
