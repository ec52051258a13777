import { readdirSync, readFileSync } from 'node:fs'

export interface MemoryUse {
  /** Bytes; pages shared with others count in part. */
  readonly proportional: number
  /** Bytes; shared pages count in full. */
  readonly resident: number
}

/** The kernel counts time in hundredths of a second for all processes, whatever its own clock. */
const TICKS = 100

/** Pids of processes with a matching command line. */
export function findProcesses(isMeant: (words: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => isMeant(readQuietly(`/proc/${name}/cmdline`).split('\0').slice(0, -1)))
    .map(Number)
}

/** Processor time used so far by all threads, in milliseconds. */
export function readProcessorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // From the third field on: the second, in parentheses, may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS
}

/** Of all of them together. */
export function readMemory(pids: readonly number[]): MemoryUse {
  let proportional = 0
  let resident = 0
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    proportional += readField(rollup, 'Pss')
    resident += readField(rollup, 'Rss')
  }
  return { proportional, resident }
}

function readField(rollup: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup) ?? []
  if (kilobytes === undefined) throw new Error(`expected ${name} in smaps_rollup, found:\n${rollup}`)
  return Number(kilobytes) * 1_024
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}
