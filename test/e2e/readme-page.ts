import { stripVTControlCharacters } from 'node:util'

/** A part of README.md that the test acts on. */
export type ReadmePart =
  /** A line of a shell block that begins with `$ `, and what the page shows below it. */
  | { readonly type: 'command'; readonly command: string; readonly shown: readonly string[] }
  /** A block without a language: what the last command goes on to show. */
  | { readonly type: 'output'; readonly shown: readonly string[] }
  /** A paragraph. */
  | { readonly type: 'prose'; readonly text: string }

export function parseReadme(markdown: string): ReadmePart[] {
  const parts: ReadmePart[] = []
  for (const [, fence, block, prose] of markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$|^([^`\n].*)$/gm)) {
    if (prose !== undefined) parts.push({ type: 'prose', text: prose })
    else if (fence === 'console') parts.push(...parseCommands(block ?? ''))
    else if (fence === '') parts.push({ type: 'output', shown: (block ?? '').trimEnd().split('\n') })
  }
  return parts
}

function parseCommands(block: string): ReadmePart[] {
  const commands: { type: 'command'; command: string; shown: string[] }[] = []
  for (const line of block.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) commands.push({ type: 'command', command: line.slice(2), shown: [] })
    else commands.at(-1)?.shown.push(line)
  }
  return commands
}

/** What root is told to do, in blocks of `sh`: the words after `sudo reeve`. Fails for a line that is none of these. */
export function rootCommands(markdown: string): string[][] {
  const lines = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  )
  return lines.map(line => {
    const [, words] = /^sudo reeve (.*?)\s*(?:#.*)?$/.exec(line) ?? []
    if (words === undefined) throw new Error(`expected a line of README.md that begins with sudo reeve, found: ${line}`)
    return words.split(' ')
  })
}

export function yamlBlock(markdown: string, kind: string): string {
  const blocks = [...markdown.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const [found, ...others] = blocks.filter(block => block.includes(`\nkind: ${kind}\n`))
  if (found === undefined || others.length > 0)
    throw new Error(`expected one block of YAML with kind: ${kind} in README.md`)
  return found
}

/** What is the same on every machine and at every time: no numbers, times, widths of columns, or names of directories. */
export function sameEverywhere(line: string, home: string): string {
  return stripVTControlCharacters(line)
    .replaceAll(home, '/home/you')
    .replaceAll('/home/you/reeve-checkout', '/home/you/reeve')
    .replace(/^\[[\d:]+\] /, '')
    .replace(/\b[\d.]+ ?(ms|s|m\d+s)\b/g, 'TIME')
    .replace(/\d+/g, 'N')
    .replace(/\s+/g, ' ')
    .trim()
}
