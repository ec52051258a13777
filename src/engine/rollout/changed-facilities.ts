import type { Facility } from '../../core/model/facility.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { ManifestSet, SupervisorManifest } from '../../manifest/manifest-set.ts'

type Declared = Pick<ManifestSet, 'supervisors'> & {
  readonly facilities: readonly Pick<Facility, 'name' | 'digest' | 'supervisor' | 'renamedFrom'>[]
}

/**
 * Names of the facilities that are declared otherwise than before, are new or are gone, sorted. A facility whose supervisor is declared
 * otherwise is too. `before` absent: everything is new.
 */
export function findChanged(before: Declared | undefined, after: Declared): string[] {
  if (!before) return after.facilities.map(({ name }) => name)
  const former = new Map(before.facilities.map(facility => [facility.name, facility]))
  const supervisors = findChangedSupervisors(before.supervisors, after.supervisors)
  const changed = after.facilities.filter(
    ({ name, digest, supervisor }) => former.get(name)?.digest !== digest || supervisors.has(supervisor),
  )
  const present = new Set(after.facilities.flatMap(({ name, renamedFrom = name }) => [name, renamedFrom]))
  const gone = before.facilities.filter(({ name }) => !present.has(name))
  return [...changed, ...gone].map(({ name }) => name).sort(compareText)
}

function findChangedSupervisors(
  before: readonly SupervisorManifest[],
  after: readonly SupervisorManifest[],
): ReadonlySet<string> {
  const textOf = ({ type, options }: SupervisorManifest): string => JSON.stringify([type, options])
  const [former, present] = [before, after].map(some => new Map(some.map(one => [one.name, textOf(one)])))
  const names = [...(former?.keys() ?? []), ...(present?.keys() ?? [])]
  return new Set(names.filter(name => former?.get(name) !== present?.get(name)))
}
