import { createDictionary } from '../dictionary.ts'
import { ReeveError } from '../reeve-error.ts'

/** Largest environment file in bytes. A shell can't pass much more in one variable. */
export const environmentFileLimit = 120_000

/**
 * The variables of an environment file, by name. One meaning under every provider: the exec wrapper reads it alike.
 *
 *   lines                 end with LF or CRLF, the last one with or without; UTF-8, after a byte order mark or not
 *   `# …`, `; …`, blank   don't count; a comment begins its line
 *   `KEY=value`           KEY of letters, digits and _; blanks at both ends of the line are left out, those around = aren't
 *   `"value"`, `'value'`  one pair of quotes around the whole value is taken off; any other quote means itself
 *   `$`, `\`              mean themselves: nothing is expanded, and no line goes on in the next
 *
 * A later value of a name wins. Throws ReeveError that names the line, but not what is in it.
 */
export function parseEnvironmentFile(content: Uint8Array | string, path: string): Record<string, string> {
  const variables = new Map<string, string>()
  for (const [index, raw] of readLines(
    typeof content === 'string' ? encoder.encode(content) : content,
    path,
  ).entries()) {
    const at = placeIn(path, index)
    const line = trimBlanks(raw.endsWith('\r') ? raw.slice(0, -1) : raw)
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? []
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw invalid(`expected KEY=value ${at}, KEY of letters, digits and _`)
    }
    if (name.startsWith('__reeve')) throw invalid(`the name ${at} is reserved: those that begin with __reeve are`)
    variables.set(name, /^(["']).*\1$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value)
  }
  return createDictionary(variables)
}

const encoder = new TextEncoder()

function readLines(content: Uint8Array, path: string): string[] {
  const lines = splitLines(withoutMark(content))
  const withNul = lines.findIndex(line => line.includes(0))
  if (withNul !== -1) throw invalid(`expected text ${placeIn(path, withNul)}, found a NUL byte`)
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return lines.map((line, index) => {
    try {
      return decoder.decode(line)
    } catch (cause) {
      throw new ReeveError('failed', `expected UTF-8 text ${placeIn(path, index)}, found other bytes`, { cause })
    }
  })
}

function placeIn(path: string, index: number): string {
  return `in line ${index + 1} of ${path}`
}

const lineFeed = 0x0a

function splitLines(content: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let start = 0; start <= content.length; ) {
    const found = content.indexOf(lineFeed, start)
    const end = found === -1 ? content.length : found
    lines.push(content.subarray(start, end))
    start = end + 1
  }
  return lines
}

function withoutMark(content: Uint8Array): Uint8Array {
  const [first, second, third] = content
  return first === 0xef && second === 0xbb && third === 0xbf ? content.subarray(3) : content
}

function invalid(message: string): ReeveError {
  return new ReeveError('failed', message)
}

/** Spaces and tabs. Step by step, since an expression for the end takes long where there are many in the middle. */
function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text[start])) start += 1
  while (end > start && isBlank(text[end - 1])) end -= 1
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** A name that a shell takes. Those that begin with `__reeve` are for the scripts between supervisor and service. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.startsWith('__reeve')
}
