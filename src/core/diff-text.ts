import { createTwoFilesPatch } from 'diff'
import { textOf } from './bytes.ts'

/** Names that people give to secrets, as a key of an assignment in any of the usual syntaxes. */
const SECRET_ASSIGNMENT =
  /^([ +-]?\s*["']?(?:[\w.-]*[_.-])?(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credentials?|auth)(?:[_.-]\w+)?["']?\s*[=:]\s*)(?![{[]\s*$)(\S.*)$/i

export interface DiffSide {
  /** Undefined: there is no file. */
  readonly content: Uint8Array | undefined
  readonly mode: number | undefined
}

/**
 * A unified diff with three lines of context, for people. What looks like a secret is redacted: assignments to names
 * like `password`, and all of a file that not everybody may read (S4).
 */
export function diffText(path: string, before: DiffSide, after: DiffSide): string {
  const mode = modeLine(before, after)
  if (isPrivate(before) || isPrivate(after)) {
    return `${mode}content differs; not shown, as not everybody may read ${path}\n`
  }
  return mode + contentDiff(path, before, after)
}

/** As `diffText`, for a definition: its mode is the provider's business, and its secrets are references. */
export function definitionDiff(path: string, before: DiffSide, after: DiffSide): string {
  return contentDiff(path, before, after)
}

export function redactSecrets(text: string): string {
  return text
    .split('\n')
    .map(line => line.replace(SECRET_ASSIGNMENT, '$1(redacted)'))
    .join('\n')
}

function contentDiff(path: string, before: DiffSide, after: DiffSide): string {
  const old = before.content === undefined ? '' : textOf(before.content)
  const now = after.content === undefined ? '' : textOf(after.content)
  if (old === undefined || now === undefined) return `binary content of ${path} differs\n`
  if (old === now) return ''
  const patch = createTwoFilesPatch(
    before.content === undefined ? '/dev/null' : path,
    after.content === undefined ? '/dev/null' : path,
    redactSecrets(old),
    redactSecrets(now),
    undefined,
    undefined,
    { context: 3 },
  )
  const body = patch.slice(patch.indexOf('---'))
  return body.includes('@@') ? body : `${body}a redacted value differs\n`
}

function modeLine(before: DiffSide, after: DiffSide): string {
  if (before.mode === undefined || after.mode === undefined || before.mode === after.mode) return ''
  return `mode ${octal(before.mode)} → ${octal(after.mode)}\n`
}

function isPrivate(side: DiffSide): boolean {
  return side.mode !== undefined && (side.mode & 0o004) === 0
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
