import { ReeveError } from '../../../src/core/reeve-error.ts'
import { placeOf } from '../layout.ts'
import { assertSafe } from '../observe/evidence.ts'
import { endSupervisor } from './pickup.ts'
import type { Task } from './task.ts'
import { stopService } from './verbs.ts'

/**
 * Takes over a service of that name that the scanner runs from elsewhere: it ends, and its link makes room for ours. True if
 * it was enabled, as no step is planned for what is as declared.
 */
export async function takeOver(task: Task): Promise<boolean> {
  const { family, layout, place, host } = task
  const found = host.facts(place.link)
  if (!found) return false
  if (found.kind !== 'symlink') {
    const advice = `move it to ${layout.definitions}, and put a link to it in its place`
    throw new ReeveError('failed', `expected a link at ${place.link}, found a ${found.kind}: ${advice}`)
  }
  const linked = host.realPath(place.link)
  if (linked !== undefined && linked === host.realPath(place.directory)) return false
  if (linked === undefined) {
    host.removeFile(place.link) // a dangling link
    return false
  }
  const former = { ...task, place: placeOf(layout, place.service, linked) }
  assertSafe(former.place, family, host)
  host.removeFile(place.link)
  await stopService(former)
  await endSupervisor(former)
  await task.announce()
  return host.facts(former.place.down) === undefined
}
