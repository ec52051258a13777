import { readFileSync } from 'node:fs'
import type { ProcessFacts } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { readDirectoryNames, readFileBytes } from './file-reading.ts'

/** Undefined if there is no such process, or it may not be seen. */
export function readProcessFacts(pid: number): ProcessFacts | undefined {
  // Pid 0 and negative ones mean something else to the kernel, and nothing in /proc.
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    // ENOENT, or ESRCH when it ended between open and read.
    return undefined
  }
}

/**
 * Parses /proc/PID/stat; see proc_pid_stat(5). Field 2 is the command name in parentheses, and a process may call itself
 * `a) R 1 (b` or put a newline there: only the last `)` ends it. Undefined if the text is no such line.
 */
export function parseProcessStat(text: string): ProcessFacts | undefined {
  const nameStart = text.indexOf(' (')
  const nameEnd = text.lastIndexOf(')')
  if (nameStart <= 0 || nameEnd < nameStart) return undefined
  const pid = Number(text.slice(0, nameStart))
  // From field 3 on.
  const [state, parent, group, session, terminal, ...rest] = text.slice(nameEnd + 2).split(' ')
  const startTime = rest[22 - 8]
  if (!Number.isSafeInteger(pid) || !state || !startTime || !/^\d+$/.test(startTime)) return undefined
  const hasTerminal = terminal !== '0'
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), hasTerminal, state, startTime }
}

/** The pids of all processes that can be seen, ascending. */
export function listProcesses(): number[] {
  return (readDirectoryNames('/proc') ?? [])
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

const bootIdPath = '/proc/sys/kernel/random/boot_id'

/**
 * Changes with every boot: the kernel's boot id, and, since a container starts anew without the kernel doing so, the
 * start time of its pid 1. Throws ReeveError.
 */
export function readBootId(): string {
  const content = readFileBytes(bootIdPath)
  if (!content)
    throw new ReeveError('failed', `expected the kernel's boot id in ${bootIdPath}, found none; mount /proc`)
  const kernel = new TextDecoder().decode(content).trim()
  const first = readProcessFacts(1)
  return first ? `${kernel}:${first.startTime}` : kernel
}
