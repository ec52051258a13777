import { readFileSync } from 'node:fs'
import { tryTo } from '../core/try-to.ts'
import { listProcesses, readProcessFacts } from './process-facts.ts'
import { isLiving } from './process-identity.ts'

/** Most pids that are probed one by one; above this, /proc is listed. */
const triedOneByOne = 512

/** Rounds of searching, as a process that is being killed may still fork. */
const mostRounds = 50

/**
 * Kills the processes that one which Reeve started has left behind, itself included: those of its session, and those in whose
 * environment its mark stands, in whatever session they are. Only who left the session and took the mark out of its
 * environment isn't found.
 */
export function endLeftovers(leader: number, mark: string): void {
  for (let round = 0; round < mostRounds; round += 1) {
    const found = findLeftovers(leader, mark)
    if (found.length === 0) return
    for (const pid of found) kill(pid)
  }
}

function findLeftovers(leader: number, mark: string): number[] {
  return youngerThan(leader).filter(pid => {
    const facts = readProcessFacts(pid)
    if (!isLiving(facts)) return false
    return facts.session === leader || hasMark(pid, mark)
  })
}

/** Pids that may have been assigned since the leader's, with its own. The kernel assigns them in rising order. */
function youngerThan(leader: number): number[] {
  const last = readLastPid()
  // Pids start over after the highest.
  if (last === undefined || last < leader) return listProcesses()
  if (last - leader > triedOneByOne) return listProcesses().filter(pid => pid >= leader)
  return Array.from({ length: last - leader + 1 }, (_, index) => leader + index)
}

/** Of /proc/loadavg, see proc(5): the last field is the pid that was given out last, in this pid namespace. */
function readLastPid(): number | undefined {
  try {
    const last = Number(readFileSync('/proc/loadavg', 'latin1').trim().split(' ').at(-1))
    return Number.isSafeInteger(last) && last > 0 ? last : undefined
  } catch {
    return undefined
  }
}

function hasMark(pid: number, mark: string): boolean {
  return tryTo(() => readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) ?? false // gone, or another user's
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
