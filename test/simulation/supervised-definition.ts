import type { ReadHost } from '../../src/core/contracts/host.ts'
import type { Ownership } from '../../src/core/state/observed.ts'
import { sha256 } from './declaration.ts'

/** Content of a definition. */
export interface Contents {
  readonly reeve?: Ownership
  readonly command: readonly string[]
}

/** Rubbish is a definition too, of a stranger. */
export function readContents(path: string, host: ReadHost): Contents | undefined {
  const text = host.readText(path)
  return text === undefined ? undefined : parseContents(text)
}

export function parseContents(text: string): Contents {
  try {
    return JSON.parse(text)
  } catch {
    return { command: [] }
  }
}

/** The word `conflicts=NAME` of its command. */
export function conflictOf({ command }: Contents): string | undefined {
  return wordOf(command, 'conflicts')
}

export function digestOf({ command }: Contents): string {
  return sha256(JSON.stringify(command))
}

export function readLoaded({ reeve }: Contents, host: ReadHost): Record<string, string> {
  const read = (path: string): string => {
    const content = host.readFile(path)
    return content ? sha256(content) : 'absent'
  }
  return Object.fromEntries((reeve?.files ?? []).map(path => [path, read(path)]))
}

/** `80` of the word `port=80` in a command, which tells a simulated program how to behave. */
export function wordOf(command: readonly string[], name: string): string | undefined {
  const word = command.find(one => one.startsWith(`${name}=`))
  return word?.slice(name.length + 1)
}
