import { stripVTControlCharacters } from 'node:util'

/**
 * Part of a guide that a test runs. The fence of a code block gives its kind:
 *
 * - `console`: lines that begin with `$ ` are commands, followed by their output, with `…` for omitted lines. `console fails`: the
 *   commands fail.
 * - without a language: further output of the last command.
 * - any other language: a file, if its first line is a comment with only a path; else an example: ```yaml OF is an example of
 *   YAML that isn't Reeve's.
 */
export type GuidePart =
  | { readonly type: 'command'; readonly command: string; readonly shown: readonly string[]; readonly fails: boolean }
  | { readonly type: 'output'; readonly shown: readonly string[] }
  | { readonly type: 'file'; readonly path: string; readonly text: string }
  | { readonly type: 'example'; readonly language: string; readonly text: string }
  | { readonly type: 'prose'; readonly text: string }

export function parseGuide(markdown: string): GuidePart[] {
  return [...markdown.matchAll(/^```(\w*)(.*)\n([\s\S]*?)^```$|^([^`\n].*)$/gm)].flatMap(
    ([, language = '', note = '', block = '', prose]): GuidePart[] => {
      if (prose !== undefined) return [{ type: 'prose', text: prose }]
      if (language === 'console') return parseCommands(block, note.trim() === 'fails')
      if (language === '') return [{ type: 'output', shown: linesOf(block) }]
      const [, path] = /^(?:#|\/\/) ([\w./~@-]*[./][\w.@-]+)$/.exec(block.slice(0, block.indexOf('\n'))) ?? []
      return path === undefined
        ? [{ type: 'example', language: note.trim() || language, text: block }]
        : [{ type: 'file', path, text: block }]
    },
  )
}

function parseCommands(block: string, fails: boolean): GuidePart[] {
  const commands: { type: 'command'; command: string; shown: string[]; fails: boolean }[] = []
  for (const line of linesOf(block)) {
    if (line.startsWith('$ ')) commands.push({ type: 'command', command: line.slice(2), shown: [], fails })
    else if (line !== '…') commands.at(-1)?.shown.push(line)
  }
  return commands
}

function linesOf(block: string): string[] {
  return block.trimEnd().split('\n')
}

/**
 * Complete documents of a page's YAML: an example that begins with `spec:` or `policy:` lacks the beginning that every file
 * has.
 */
export function yamlDocuments(markdown: string): string[] {
  return parseGuide(markdown).flatMap(part => {
    if (part.type === 'file' && part.path.endsWith('.yaml')) return documentsOf(part.text)
    return part.type === 'example' && part.language === 'yaml' ? documentsOf(part.text) : []
  })
}

function documentsOf(text: string): string[] {
  return text.split(/^---\n/m).map(document => {
    if (/^kind:/m.test(document)) return document
    if (/^policy:/m.test(document)) return `apiVersion: reeve/v1\nkind: HostConfiguration\n${document}`
    const metadata = /^metadata:/m.test(document) ? '' : 'metadata: { name: example }\n'
    return `apiVersion: reeve/v1\nkind: Facility\n${metadata}${document}`
  })
}

/** Removes what differs between machines and times: numbers, times, widths of columns, names of directories. */
export function sameEverywhere(line: string, home: string): string {
  return stripVTControlCharacters(line)
    .replaceAll(home, '/home/you')
    .replace(/^\[[\d:]+\] /, '')
    .replace(/\b[\d.]+ ?(ms|s|m\d+s)\b/g, 'TIME')
    .replace(/\d+/g, 'N')
    .replace(/\s+/g, ' ')
    .trim()
}
