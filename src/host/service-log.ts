import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import type { Process } from '../core/model/facility.ts'
import { chooseActor, findUser, isLoggerLink } from './service-paths.ts'
import { may } from './user-rights.ts'

export interface LogEnd {
  readonly text: string
  /** True: there is more before it. */
  readonly isCut: boolean
}

/** In bytes. */
const LENGTH = 8 * 1024

/**
 * The end of the file that a service writes to; undefined where there is none, or none that may be shown. Where others than root can
 * put something in its place, it has to be one that the service's user may read anyway: their directory may have a link to
 * what is somebody else's (S8).
 */
export function readLogEnd(file: string, process: Process | undefined, host: ReadHost): LogEnd | undefined {
  const path = isLoggerLink(file, host) ? `${file}.d/current` : file
  const user = process && findUser(process, host)
  if (user === 'unknown') return undefined
  const actor = chooseActor(path, user?.uid, host)
  if (actor.as === 'nobody') return undefined
  const mayRead = (facts: FileFacts): boolean => actor.as === 'self' || (!!user && may(path, facts, user, ['r'], host))
  const found = host.inspectFile(path, { tail: LENGTH, mayRead })
  if (!found?.content) return undefined
  return { text: new TextDecoder().decode(found.content), isCut: found.facts.size > found.content.length }
}
