import { join } from 'node:path'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { assertSafe } from '../observe/evidence.ts'
import { isLogSupervised, isSupervisorAlive, readSupervision } from '../observe/supervision.ts'
import { describeCrowd } from './capacity.ts'
import { isLinked, linkService } from './installation.ts'
import type { Task } from './task.ts'
import { waitUntil } from './waiting.ts'

/** Time in ms beyond its interval that a scanner may take: a busy host is slow. */
const patience = 20_000

/** Time in ms beyond its interval that a scanner may take until the link is created anew. */
const relinkTime = 3_000

/** Interval in ms at which a supervisor is told again to end. */
const repetition = 1_000

export function isSupervised({ family, place, host }: Task): boolean {
  return readSupervision(family, place, host).state !== 'dead'
}

/** Waits until the scanner has started a supervisor for the service; links it first if it isn't. */
export async function ensureSupervised(task: Task): Promise<void> {
  const { family, layout, place, host, clock } = task
  if (isSupervised(task)) {
    // Somebody has removed the link by which it comes back with the scanner.
    if (!isLinked(place, host)) {
      host.makeLink(place.link, place.directory)
      await task.announce()
    }
    return
  }
  task.claimRoom(place.service)
  linkService(place, task)
  const often = family.scanInterval === undefined ? '' : `, which it does every ${family.scanInterval / 1_000} s`
  task.waits(`${family.scanner} to look at ${layout.services}${often}`)
  // Also for an existing link: its creator may have been killed before notifying the scanner (E4).
  await task.announce()
  const began = clock.elapsed()
  const come = (limit: number): Promise<boolean> =>
    waitUntil(() => isSupervised(task), [place.supervise], { ...task, limit })
  if (await come((family.scanInterval ?? 0) + relinkTime)) return
  // runsvdir rescans only when its own directory has changed, not the target of a link.
  host.removeFile(place.link)
  host.makeLink(place.link, place.directory)
  await task.announce()
  if (await come((family.scanInterval ?? 0) + patience)) return
  const time = Math.round((clock.elapsed() - began) / 1_000)
  throw new ReeveError(
    'failed',
    `${family.scanner} has started no ${family.supervisor} for ${place.link} within ${time} s; ` +
      `see what it says, and whether it still runs${describeCrowd(family, layout, host)}`,
  )
}

/**
 * Writes to a pipe in `supervise/`; false if there is none, or it has no reader. Throws if others could redirect the write.
 */
export function tellSupervisor({ family, place, host }: Task, supervise: string, letters: string): boolean {
  assertSafe(place, family, host)
  return host.writePipe(join(supervise, 'control'), letters)
}

/** Ends the supervisor of the service, which stops the service and its log first. */
export async function endSupervisor(task: Task): Promise<void> {
  const { family, place, host } = task
  const isGone = (): boolean => !isSupervisorAlive(family, place, host) && !isLogSupervised(family, place, host)
  // Repeated: a supervisor that has only just started reads nothing yet.
  while (!isGone()) {
    tellSupervisor(task, place.supervise, 'dx')
    tellSupervisor(task, place.logSupervise, 'dx')
    await waitUntil(isGone, [place.supervise, place.logSupervise], { ...task, limit: repetition })
  }
}
