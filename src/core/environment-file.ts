import { createDictionary } from './dictionary.ts'
import { ReeveError } from './reeve-error.ts'

/**
 * Lines of `KEY=value`; empty lines and those that start with `#` or `;` don't count. One pair of quotes around a value
 * is taken off; nothing in it is expanded. Throws ReeveError that names the line, but not what is in it. The exec wrapper reads
 * it alike.
 */
export function parseEnvironmentFile(content: string, path: string): Record<string, string> {
  const variables = new Map<string, string>()
  for (const [index, raw] of content.split('\n').entries()) {
    const line = trimBlanks(raw.endsWith('\r') ? raw.slice(0, -1) : raw)
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? []
    if (!isVariableName(name)) {
      throw new ReeveError('failed', `expected KEY=value in line ${index + 1} of ${path}, KEY of letters, digits and _`)
    }
    variables.set(name, /^(["']).*\1$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value)
  }
  return createDictionary(variables)
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
