import { readdirSync, readFileSync } from 'node:fs'

/** A process of a service. */
export interface Found {
  readonly name: string
  readonly pid: number
  /** Last argument of its program. */
  readonly mark: number
}

/** Programs of services: their shims and health checks are others. */
const programs: ReadonlySet<string> = new Set(['/bin/sleep', process.execPath])

/** All processes of services with the mark, whoever their parent is. */
export function takeCensus(marker: string): Found[] {
  const found: Found[] = []
  for (const pid of listProcesses()) {
    const words = readQuietly(pid, 'cmdline').split('\0').slice(0, -1)
    if (words[0] === undefined || !programs.has(words[0])) continue
    const environment = readQuietly(pid, 'environ').split('\0')
    if (!environment.includes(`REEVE_SOAK=${marker}`)) continue
    const name = environment.find(entry => entry.startsWith('REEVE_SOAK_NAME='))?.replace(/^.*=/, '')
    if (name !== undefined) found.push({ name, pid, mark: Number(words.at(-1)) })
  }
  return found
}

/** Names of services that certainly run more than once: candidates are checked twice. */
export function findDoubled(marker: string): string[] {
  const again = (of: readonly Found[]): Found[] => {
    const counts = new Map<string, number>()
    for (const { name } of of) counts.set(name, (counts.get(name) ?? 0) + 1)
    return of.filter(({ name }) => (counts.get(name) ?? 0) > 1)
  }
  const suspects = again(takeCensus(marker))
  // While /proc was read, one may have ended and its successor begun.
  const living = suspects.filter(({ pid, mark }) => readQuietly(pid, 'cmdline').endsWith(`\0${mark}\0`))
  return again(living).map(({ name, pid, mark }) => `${name} (process ${pid}, mark ${mark})`)
}

/** Number of processes with this text in an argument. */
export function countWith(text: string): number {
  return listProcesses().filter(pid => readQuietly(pid, 'cmdline').includes(text)).length
}

/** True if it is suspended by SIGSTOP. */
export function isHalted(pid: number): boolean {
  return /^\d+ \(.*\) T /s.test(readQuietly(pid, 'stat'))
}

export interface Usage {
  /** Resident memory, in bytes. */
  readonly memory: number
  readonly descriptors: number
}

/** Undefined if the process has just ended: it may be restarted. */
export function readUsage(pid: number): Usage | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readQuietly(pid, 'status'))?.[1]
  const descriptors = countDescriptors(pid)
  if (kilobytes === undefined || descriptors === undefined) return undefined
  return { memory: Number(kilobytes) * 1024, descriptors }
}

function countDescriptors(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined // it has ended
  }
}

function listProcesses(): number[] {
  return readdirSync('/proc').flatMap(name => (/^\d+$/.test(name) ? Number(name) : []))
}

/** Empty if it has ended. */
function readQuietly(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
