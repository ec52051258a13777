import type { Availability } from '../../core/contracts/provider.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import type { Session } from '../session/session.ts'
import { readRecord } from '../session/state-files.ts'
import { type BoundInstance, bindAll } from '../session/supervisor-instances.ts'
import { withinSurvey } from './refresh-limit.ts'

export interface SupervisorReport {
  readonly name: string
  readonly type: string
  readonly available: boolean
  readonly version?: string
  /** Reason why it is unavailable. */
  readonly reason?: string
  /** Number of declared facilities that name it. */
  readonly facilities: number
}

/** Lists all supervisors that Reeve knows of on this host, with whether they answer. */
export async function listSupervisors(session: Session): Promise<SupervisorReport[]> {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, readRecord(session.configuration.stateDirectory, session.readHost))
  const found = await probeAll(instances, session.clock)
  const reports = [...found].map(([name, answer]): SupervisorReport => {
    const facilities = set.facilities.filter(({ supervisor }) => supervisor === name).length
    const base = { name, type: instances.get(name)?.instance.type ?? '', facilities }
    if (!answer.available) return { ...base, available: false, reason: answer.reason }
    return { ...base, available: true, ...(answer.version === undefined ? {} : { version: answer.version }) }
  })
  return reports.sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** Asks all supervisors at the same time. By name. */
export async function probeAll(
  instances: ReadonlyMap<string, BoundInstance>,
  clock: Clock,
): Promise<Map<string, Availability>> {
  const probing = [...instances].map(async ([name, bound]) => [name, await tryProbe(bound, clock)] as const)
  return new Map(await Promise.all(probing))
}

/** A provider that fails or hangs makes its supervisor unavailable, and doesn't affect the others. */
async function tryProbe({ observer }: BoundInstance, clock: Clock): Promise<Availability> {
  try {
    return await withinSurvey(observer.probe(), clock)
  } catch (error) {
    return { available: false, reason: messageOf(error) }
  }
}
