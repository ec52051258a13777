import { join } from 'node:path'
import type { ReadHost } from '../../src/core/provider.ts'
import type { Family } from './family.ts'
import { formatClaim, type Identity } from './records.ts'

/** What the kernel says behind the path of a directory that is no more. */
const suffix = ' (deleted)'

/**
 * Where somebody has deleted a definition, its supervisor may live on in it, out of reach, and the service with it: svscan
 * lets both be. Gives the claim by which that process is known as an orphan in the definition that is made anew, so that
 * nothing is started beside it; undefined if there is none. All processes are looked through once, at the first call.
 */
export function createDeletedSearch(family: Family, host: ReadHost): (directory: string) => string | undefined {
  let supervisors: ReadonlyMap<string, number> | undefined
  return directory => {
    supervisors ??= findSupervisors(family, host)
    const supervisor = supervisors.get(directory)
    const service = supervisor === undefined ? undefined : findService(family, supervisor, host)
    return service && formatClaim(service, host.bootId())
  }
}

/** Those that work in what is deleted, by its path. */
function findSupervisors({ supervisor }: Family, host: ReadHost): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const pid of host.processes()) {
    if (host.readText(join('/proc', String(pid), 'comm'))?.trim() !== supervisor) continue
    const directory = readDirectory(pid, host)
    if (directory?.endsWith(suffix)) found.set(directory.slice(0, -suffix.length), pid)
  }
  return found
}

function readDirectory(pid: number, host: ReadHost): string | undefined {
  try {
    return host.readLink(`/proc/${pid}/cwd`)
  } catch {
    return undefined // another user's
  }
}

/** The child of the supervisor, or where the run script stays, of that. */
function findService({ scripts }: Family, supervisor: number, host: ReadHost): Identity | undefined {
  const all = host.processes().flatMap(pid => host.process(pid) ?? [])
  const child = all.find(({ parent }) => parent === supervisor)
  return scripts.hasFinish ? child : all.find(({ parent }) => parent === child?.pid)
}
