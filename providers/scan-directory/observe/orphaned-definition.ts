import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { ProcessIdentity } from '../../../src/host/process-identity.ts'
import { formatClaim } from '../definition/records.ts'
import type { Family } from '../family.ts'
import { findSupervisors } from './evidence.ts'

/** Suffix of the kernel for the path of a deleted directory. */
const suffix = ' (deleted)'

/**
 * If somebody has deleted a definition, its supervisor may still run in it, out of reach, and the service with it: svscan
 * ignores both. Returns the claim that marks that process as an orphan in the recreated definition, so that nothing is
 * started beside it; undefined if there is none. The process table is read once, at the first call.
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

/** Child of the supervisor, or if the run script stays, of that. */
function findService({ scripts }: Family, supervisor: number, host: ReadHost): ProcessIdentity | undefined {
  const all = host.processes().flatMap(pid => host.process(pid) ?? [])
  const child = all.find(({ parent }) => parent === supervisor)
  return scripts.hasFinish ? child : all.find(({ parent }) => parent === child?.pid)
}
