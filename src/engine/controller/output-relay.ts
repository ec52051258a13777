import { dirname } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { WriteOut } from '../../host/patient-output.ts'
import { createLineSplitter, type LineSplitter } from './line-splitter.ts'

/** Position up to which the output of a service was relayed. */
export interface OutputPosition {
  readonly inode: number
  readonly offset: number
}

export interface RelayedOutput {
  readonly facility: string
  /** File in which the supervisor keeps the output. */
  readonly file: string
}

/**
 * Relays the output of services (`output: stdout`), each line after the name of its facility. Services write to files of their
 * supervisor and never wait for the reader; late output is read from the file.
 */
export interface OutputRelay {
  /** Relays these, and no others. */
  follow(outputs: readonly RelayedOutput[]): void
  /** Position in each file, where the next controller continues. */
  positions(): ReadonlyMap<string, OutputPosition>
  /** Resolves when all output so far was relayed, incomplete lines included, or cannot be. */
  drain(): Promise<void>
  [Symbol.dispose](): void
}

export interface OutputRelayOptions {
  readonly host: ReadHost
  readonly log: Log
  readonly write: WriteOut
  readonly known: ReadonlyMap<string, OutputPosition>
}

/** Sizes in bytes: of one read, and of the earlier output that is relayed at first. */
const CHUNK = 64 * 1024

interface Followed {
  readonly file: string
  readonly lines: LineSplitter
  inode: number | undefined
  offset: number
}

export function createOutputRelay({ host, log, write, known }: OutputRelayOptions): OutputRelay {
  const followed = new Map<string, Followed>()
  const watches = new Map<string, Disposable>()
  const due = new Set<string>()
  let work: Promise<void> | undefined
  let isOver = false

  function notice(file: string): void {
    if (!followed.has(file) || isOver) return
    due.add(file)
    work ??= passOn().finally(() => {
      work = undefined
    })
  }

  async function passOn(): Promise<void> {
    for (const file of due) {
      due.delete(file)
      const one = followed.get(file)
      if (!one || isOver) continue
      try {
        const content = readMore(one)
        if (content === undefined) continue
        // A Set iterates over what is added meanwhile: the others have their turn first.
        due.add(file)
        await write(one.lines.push(content))
      } catch (error) {
        log.error({ file }, `what services write can't be passed on to stdout any more: ${messageOf(error)}`)
        isOver = true
      }
    }
  }

  /** Undefined: there is no more output now. */
  function readMore(one: Followed): Uint8Array | undefined {
    const part = host.readPart(one.file, one.offset, CHUNK)
    if (!part) return undefined
    one.inode ??= part.facts.inode
    if (part.facts.inode === one.inode && part.facts.size >= one.offset) {
      one.offset += part.content.length
      return part.content.length === 0 ? undefined : part.content
    }
    // The file was rotated: the rest of the output is in the copy.
    const rest = host.readPart(`${one.file}.1`, one.offset, CHUNK)?.content ?? new Uint8Array()
    one.offset = rest.length === CHUNK ? one.offset + CHUNK : 0
    one.inode = part.facts.inode
    return rest
  }

  function begin({ facility, file }: RelayedOutput): Followed {
    const facts = host.facts(file)
    const before = known.get(file)
    const isKnown = before !== undefined && facts?.inode === before.inode && facts.size >= before.offset
    const offset = isKnown ? before.offset : Math.max(0, (facts?.size ?? 0) - CHUNK)
    return { file, lines: createLineSplitter(`${facility} | `), inode: facts?.inode, offset }
  }

  return {
    follow(outputs) {
      const files = new Set(outputs.map(({ file }) => file))
      for (const file of followed.keys()) if (!files.has(file)) followed.delete(file)
      const directories = new Set([...files].map(dirname))
      for (const [directory, watch] of watches) {
        if (directories.has(directory)) continue
        watch[Symbol.dispose]()
        watches.delete(directory)
      }
      for (const output of outputs) {
        if (!followed.has(output.file)) followed.set(output.file, begin(output))
        notice(output.file)
      }
      for (const directory of directories) {
        const hint = (name?: string): void => {
          for (const file of name === undefined ? followed.keys() : [`${directory}/${name}`]) notice(file)
        }
        if (!watches.has(directory)) watches.set(directory, host.watch(directory, hint))
      }
    },
    positions() {
      const found = [...followed.values()].flatMap(({ file, inode, offset, lines }) =>
        inode === undefined ? [] : [[file, { inode, offset: offset - lines.pending() }] as const],
      )
      return new Map(found)
    },
    async drain() {
      for (const file of followed.keys()) notice(file)
      await work
      for (const { lines } of followed.values()) if (!isOver) await write(lines.end())
    },
    [Symbol.dispose]() {
      isOver = true
      for (const watch of watches.values()) watch[Symbol.dispose]()
    },
  }
}
