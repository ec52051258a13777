import { createDictionary } from '../../../src/core/dictionary.ts'
/** A unit file as systemd parses it: a key may be repeated, and an empty value resets those before it. */
export type Sections = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>

/** Writes sections and keys in the given order. Values are written unchanged. */
export function writeSections(sections: Sections): string {
  const blocks: string[] = []
  for (const [section, keys] of Object.entries(sections)) {
    const lines = Object.entries(keys).flatMap(([key, values]) => values.map(value => `${key}=${value}`))
    if (lines.length > 0) blocks.push([`[${section}]`, ...lines, ''].join('\n'))
  }
  return blocks.join('\n')
}

/** Parses the output of `writeSections`, and what people and packages write: comments, continued lines. */
export function readSections(text: string): Sections {
  const sections = createDictionary<Record<string, string[]>>()
  for (const { section, key, value } of readEntries(text)) {
    const current = sections[section] ?? createDictionary()
    sections[section] = current
    if (key !== undefined) current[key] = value === '' ? [] : [...(current[key] ?? []), value]
  }
  return sections
}

interface Entry {
  /** Empty before the first one. */
  readonly section: string
  /** Undefined: a section begins. */
  readonly key: string | undefined
  readonly value: string
}

/** Each value by itself: where keys name other units, an empty value resets none of them. */
export function readEntries(text: string): Entry[] {
  let section = ''
  return joinContinued(text).flatMap((line): Entry[] => {
    const [, title] = /^\[(.+)\]$/.exec(line) ?? []
    if (title !== undefined) {
      section = title
      return [{ section, key: undefined, value: '' }]
    }
    const [, key, value = ''] = /^([^=[]+?)\s*=\s*(.*)$/.exec(line) ?? []
    return key === undefined ? [] : [{ section, key, value }]
  })
}

/** Lines without comments and blank ones; one that ends in a backslash continues in the next that is no comment. */
export function joinContinued(text: string): string[] {
  const lines: string[] = []
  let open: string | undefined
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line.startsWith('#') || line.startsWith(';')) continue
    const whole: string = open === undefined ? line : `${open} ${line}`
    open = undefined
    if (whole.endsWith('\\')) open = whole.slice(0, -1).trimEnd()
    else if (whole !== '') lines.push(whole)
  }
  return open === undefined ? lines : [...lines, open]
}

/** Overlays sections: a key replaces all values of its name, an empty list removes it. */
export function mergeSections(base: Sections, over: Sections): Sections {
  const merged = createDictionary(Object.entries(base))
  for (const [section, keys] of Object.entries(over)) {
    merged[section] = createDictionary([...Object.entries(merged[section] ?? {}), ...Object.entries(keys)])
  }
  return merged
}

/** Parses a boolean as systemd does. */
export function isYes(value: string): boolean {
  return /^(?:1|y|yes|t|true|on)$/i.test(value)
}
