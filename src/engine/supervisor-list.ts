import { loadManifests } from '../manifest/manifest-source.ts'
import { bindAll } from './instances.ts'
import type { Session } from './session.ts'
import { readRecord } from './state-files.ts'

export interface SupervisorReport {
  readonly name: string
  readonly type: string
  readonly available: boolean
  readonly version?: string
  /** Why it isn't available. */
  readonly reason?: string
  /** How many declared facilities name it. */
  readonly facilities: number
}

/** Every supervisor that Reeve knows of on this host, asked whether it answers. */
export async function listSupervisors(session: Session): Promise<SupervisorReport[]> {
  const set = loadManifests(session.manifests)
  const instances = bindAll(session, set, readRecord(session.configuration.stateDirectory, session.readHost))
  const found = await Promise.all(
    [...instances].map(async ([name, { instance, provider, readHost }]): Promise<SupervisorReport> => {
      const facilities = set.facilities.filter(({ supervisor }) => supervisor === name).length
      const answer = await provider.probe(instance, readHost)
      const base = { name, type: instance.type, facilities }
      if (!answer.available) return { ...base, available: false, reason: answer.reason }
      return { ...base, available: true, ...(answer.version === undefined ? {} : { version: answer.version }) }
    }),
  )
  return found.sort((left, right) => (left.name < right.name ? -1 : 1))
}
