import { dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { describeUnsafePart, isProtected, type UnsafePart } from '../../../src/core/paths/path-safety.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import type { Family } from '../family.ts'
import type { Place } from '../layout.ts'

/**
 * Evidence about a service, and when it is trusted if Reeve runs as root (S8):
 *
 *   a definition, its records, `supervise/`   only if root alone can change the directory; else nothing in it counts
 *   `supervise/status`, the liveness pipe     if they are root's; some hosts give them to a user, who could forge them: then only
 *                                             what /proc confirms
 *   a process by its name                     only if root or Reeve's user has started it: anybody can use the name
 */
export interface Evidence {
  /** Reason why no evidence of the service counts; undefined: it does. */
  findProblem(place: Place): string | undefined
  /** The living supervisor that works in the directory. */
  findSupervisor(directory: string): number | undefined
}

/** Valid for one observation: the process table is read once, on first use. */
export function createEvidence(family: Family, host: ReadHost): Evidence {
  const parents = new Map<string, UnsafePart | undefined>()
  let supervisors: ReadonlyMap<string, number> | undefined

  function findUnsafe(directory: string): UnsafePart | undefined {
    const facts = host.facts(directory)
    if (!facts) return undefined
    // The target of a link can be anywhere.
    if (facts.kind !== 'directory') return host.findUnsafePart(directory, { isExclusive: true })
    if (!isProtected(facts, 0)) return { path: directory, ...facts }
    const above = dirname(directory)
    if (!parents.has(above)) parents.set(above, host.findUnsafePart(above))
    return parents.get(above)
  }

  return {
    findProblem(place) {
      if (host.userId() !== 0) return undefined // no difference of rights
      for (const directory of [place.directory, place.records, place.supervise, place.logSupervise]) {
        const unsafe = findUnsafe(directory)
        if (unsafe) return `nothing in ${directory} can be believed: ${describeUnsafePart(unsafe)}`
      }
      return undefined
    },
    findSupervisor(directory) {
      supervisors ??= findSupervisors(family, host)
      return supervisors.get(directory)
    },
  }
}

/** For actions: throws ReeveError `insecure`. */
export function assertSafe(place: Place, family: Family, host: ReadHost): void {
  const problem = createEvidence(family, host).findProblem(place)
  if (problem !== undefined) throw new ReeveError('insecure', problem)
}

/** True if nobody else can have written the status, or has the pipe open in place of the supervisor. */
export function isUnforged({ livenessPipe }: Family, supervise: string, host: ReadHost): boolean {
  if (host.userId() !== 0) return true
  const [status, pipe] = [host.facts(join(supervise, 'status')), host.facts(join(supervise, livenessPipe))]
  const isRoots = status === undefined || (status.uid === 0 && (status.mode & 0o022) === 0)
  return isRoots && (pipe === undefined || (pipe.uid === 0 && (pipe.mode & 0o044) === 0))
}

/** Supervisors by working directory. For a deleted directory, the kernel marks the path. */
export function findSupervisors({ supervisor }: Family, host: ReadHost): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const pid of host.processes()) {
    const directory = isProgram(pid, supervisor, host) ? readDirectory(pid, host) : undefined
    if (directory !== undefined) found.set(directory, pid)
  }
  return found
}

/** True if the supervisor that works in the directory of the service has started the process. */
export function isStartedThere(pid: number, { supervisor }: Family, place: Place, host: ReadHost): boolean {
  const parent = host.process(pid)?.parent
  if (parent === undefined || !isProgram(parent, supervisor, host)) return false
  return readDirectory(parent, host) === host.realPath(place.directory)
}

/** True if a process is a program of that name, started by root or this user. */
export function isProgram(pid: number, name: string, host: ReadHost): boolean {
  return readQuietly(`/proc/${pid}/comm`, host).trim() === name && isTrusted(pid, host)
}

/** True if root or this user has started the process: anybody can give a set-user-id program of root any name. */
export function isTrusted(pid: number, host: ReadHost): boolean {
  const user = findStarter(pid, host)
  return user === 0 || user === host.userId()
}

/** The real user id. */
export function findStarter(pid: number, host: ReadHost): number | undefined {
  const [, user] = /^Uid:\t(\d+)\t/m.exec(readQuietly(`/proc/${pid}/status`, host)) ?? []
  return user === undefined ? undefined : Number(user)
}

function readDirectory(pid: number, host: ReadHost): string | undefined {
  return tryTo(() => host.readLink(`/proc/${pid}/cwd`)) // another user's
}

function readQuietly(path: string, host: ReadHost): string {
  return tryTo(() => host.readText(path) ?? '') ?? '' // another user's, on a host that hides them
}
