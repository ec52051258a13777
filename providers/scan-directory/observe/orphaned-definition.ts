import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { ProcessIdentity } from '../../../src/host/process-identity.ts'
import { formatClaim } from '../definition/records.ts'
import type { Family } from '../family.ts'
import { findSupervisors } from './evidence.ts'

/** What the kernel says behind the path of a directory that is no more. */
const suffix = ' (deleted)'

/**
 * Where somebody has deleted a definition, its supervisor may live on in it, out of reach, and the service with it: svscan
 * lets both be. Gives the claim by which that process is known as an orphan in the definition that is made anew, so that
 * nothing is started beside it; undefined if there is none. All processes are looked through once, at the first call.
 */
export function createOrphanSearch(family: Family, host: ReadHost): (directory: string) => string | undefined {
  let supervisors: ReadonlyMap<string, number> | undefined
  return directory => {
    supervisors ??= findSupervisors(family, host)
    const supervisor = supervisors.get(`${directory}${suffix}`)
    const service = supervisor === undefined ? undefined : findService(family, supervisor, host)
    return service && formatClaim(service, host.bootId())
  }
}

/** The child of the supervisor, or where the run script stays, of that. */
function findService({ scripts }: Family, supervisor: number, host: ReadHost): ProcessIdentity | undefined {
  const all = host.processes().flatMap(pid => host.process(pid) ?? [])
  const child = all.find(({ parent }) => parent === supervisor)
  return scripts.hasFinish ? child : all.find(({ parent }) => parent === child?.pid)
}
