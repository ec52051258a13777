/**
 * Takes out of a text what looks like a secret, line by line, so that diffs of configuration files can be shown (S4).
 * It goes by the names that people give to secrets, in the syntaxes that configuration has (YAML, JSON, TOML, ini, env
 * files, shell, units, command lines), and rather takes too much: from the value to the end of the line, and of the
 * block where the value is one. A file that holds secrets under other names has to be private (`mode: "0600"`).
 */

export const REDACTED = '(redacted)'

/** Redacts likely secrets in lines; their number stays. */
export function redactLines(lines: readonly string[]): string[] {
  let inside: Inside = { kind: 'nothing' }
  let isSecretSection = false
  let isNamed = false
  return lines.map(line => {
    if (isInside(inside, line)) {
      if (isLast(inside, line)) inside = { kind: 'nothing' }
      return redactWhole(line)
    }
    inside = { kind: 'nothing' }
    if (PRIVATE_KEY_BEGIN.test(line)) {
      if (!PRIVATE_KEY_END.test(line)) inside = { kind: 'key' }
      return redactWhole(line)
    }
    const section = SECTION.exec(line)?.[1]
    if (section !== undefined) isSecretSection = isSecretName(section)
    const isSecret = isSecretSection && section === undefined
    const wasNamed = isNamed
    isNamed = namesSecret(line)
    const named = isNamed || wasNamed ? findNamedValue(line) : undefined
    const start = findSecret(line, named) ?? (isSecret ? findAnyValue(line) : undefined)
    if (start === undefined) return isSecret ? redactWhole(line) : redactCredentials(line)
    const value = line.slice(start).trim()
    inside = value === '' && /-[\w.-]+["']?,?\s*$/.test(line) ? { kind: 'next' } : afterValue(value, keyColumnOf(line))
    return isHarmless(value) ? line : line.slice(0, start) + REDACTED
  })
}

/** Context of the lines that follow. */
type Inside =
  | { readonly kind: 'nothing' }
  /** The block under a key in this column: all that is indented deeper, and a list right below it. */
  | { readonly kind: 'block'; readonly column: number }
  | { readonly kind: 'quote'; readonly end: string }
  /** The value of an option that stands on a line of its own, as in a list of arguments. */
  | { readonly kind: 'next' }
  | { readonly kind: 'key' }

/** Of ini and TOML; a comment may follow. */
const SECTION = /^\s*\[+\s*(["']?[A-Za-z][^[\],]*)\]+\s*(?:[#;].*)?$/
const LIST_ITEM = /^\s*-\s/
const PRIVATE_KEY_BEGIN = /-----BEGIN [A-Z ]*PRIVATE KEY/
const PRIVATE_KEY_END = /-----END [A-Z ]*PRIVATE KEY/

function isInside(inside: Inside, line: string): boolean {
  if (inside.kind !== 'block') return inside.kind !== 'nothing'
  const indent = indentOf(line)
  return line.trim() === '' || indent > inside.column || (indent === inside.column && LIST_ITEM.test(line))
}

function isLast(inside: Inside, line: string): boolean {
  if (inside.kind === 'quote') return line.includes(inside.end)
  if (inside.kind === 'key') return PRIVATE_KEY_END.test(line)
  return inside.kind === 'next' && !line.endsWith('\\')
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

/** Column of the key: in YAML, lines indented no deeper don't belong to its value. */
function keyColumnOf(line: string): number {
  return /^\s*(?:-\s+)*/.exec(line)?.[0].length ?? 0
}

/** Keeps where it stood. A reference to a file says nothing: it stays. */
function redactWhole(line: string): string {
  const text = line.trim()
  if (text === '' || /^[\]})"'`,]+$/.test(text)) return line
  const reference = /^["']?([\w.-]+)["']?\s*[:=]/.exec(text)?.[1]
  if (reference !== undefined && isPlaceName(reference)) return line
  return line.slice(0, indentOf(line)) + REDACTED
}

/*
 * A name, perhaps quoted, and what assigns; an option of a command line; an element of XML; a directive and its value.
 * No pattern may begin in the middle of a name: on a line of a million letters that would take for ever.
 */
const ASSIGNMENT = /(?<![\w.-])[.-]*(\w[\w.-]*)["']?\]?\s*(?::=|=>|[:=]|\?=|\+=)\s*/g
const OPTION = /(?<![\w-])--?([A-Za-z][\w.-]*)["']?(?:,\s*|\s+|$)/g
const ELEMENT = /<([\w:.-]+)(?:\s[^<>]*)?>(?!<)/g
const DIRECTIVE = /^\s*(?:-\s+)?([A-Za-z_][\w.-]*)\s+(?=[^\s:=])/g
/** `SetEnv TOKEN x`, `login a password x`; not `upstream auth {`. */
const WORD = /(?<=\s)([A-Za-z_][\w.-]*)\s+(?=[^\s:={])/g

/** Where the first secret of the line begins, by its name or at `named`; the line's length where it begins on the next. */
function findSecret(line: string, named: number | undefined): number | undefined {
  if (!HINT.test(line)) return named
  let first = named
  for (const pattern of [ASSIGNMENT, OPTION, ELEMENT, DIRECTIVE, WORD]) {
    for (const match of line.matchAll(pattern)) {
      if (!isSecretName(match[1] ?? '')) continue
      first = Math.min(first ?? line.length, match.index + match[0].length)
      break
    }
  }
  return first
}

/** `name: DB_PASSWORD`, as in lists of variables and of properties: the value stands after it, or on the next line. */
function namesSecret(line: string): boolean {
  if (!HINT.test(line)) return false
  const names = line.matchAll(/(?<![\w.-])(?:name|key)["']?(?:\s*[:=]\s*["']?|>)(\w[\w.-]*)/gi)
  return [...names].some(([, name = '']) => isSecretName(name))
}

function findNamedValue(line: string): number | undefined {
  const value = /(?<![\w.-])value["']?(?:\s*[:=]\s*|>)/i.exec(line)
  return value ? value.index + value[0].length : undefined
}

/** In a section that is named after secrets every value is one, also where it is commented out. */
function findAnyValue(line: string): number | undefined {
  return /^[^:=]*[:=]\s*/.exec(line)?.[0].length
}

/** A value may go on in the lines below it without saying so, as YAML's and ini's do: what is indented deeper is part of it. */
function afterValue(value: string, column: number): Inside {
  const [opening, quote] = /^(?:\$|[bfru]{1,2})?("""|'''|["'`])/i.exec(value) ?? []
  if (opening && quote && !value.slice(opening.length).includes(quote)) return { kind: 'quote', end: quote }
  return value.endsWith('\\') ? { kind: 'next' } : { kind: 'block', column }
}

/** Value that only opens a block. */
const OPENING = /^(?:[|>][-+\d]*|[{[(])$/
const SWITCH = /^["']?(?:true|false|yes|no|on|off|null|none|~|\{\}|\[\])?["']?[,;]?$/i

function isHarmless(value: string): boolean {
  return OPENING.test(value) || SWITCH.test(value)
}

/** `user:password@` of a URL, and what follows the word Bearer or Basic. */
function redactCredentials(line: string): string {
  return line
    .replace(/((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*):[^\s/@"']+@/gi, `$1:${REDACTED}@`)
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/g, `$1 ${REDACTED}`)
}

const SECRET_WORD =
  /(?:password|passwd|passphrase|passcode|secret|token|credential|apikey|accesskey|privatekey)s?$|^(?:pass|pw|pwd|psk|auth|authorization|cookie)$|^(?:requirepass|masterauth|sshpass|rootpw|bindpw)$/
const SECRET_PAIR = /(?:api|access|private|secret|signing|encryption|master|shared|license|account|session)key/
/** Quick test: a part of every secret's name. Most lines fail it. */
const HINT = /pass|pw|psk|secret|token|credential|key|auth|cookie/i
const PLACE_WORDS = new Set(['file', 'path', 'dir', 'directory'])

/** `DB_PASSWORD`, `clientSecret`, `api-key`, `auth.token`; not `password_file`, which says where it is. */
function isSecretName(name: string): boolean {
  if (isPlaceName(name)) return false
  const words = wordsOf(name)
  return words.some(word => SECRET_WORD.test(word)) || SECRET_PAIR.test(words.join(''))
}

function isPlaceName(name: string): boolean {
  return PLACE_WORDS.has(wordsOf(name).at(-1) ?? '')
}

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]/)
}
