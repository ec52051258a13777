import { ReeveError } from '../../core/reeve-error.ts'
import { findWayBack, type RevisionRecord, type RolloutState } from './revision-record.ts'

/** The revision that a person wants. Absent: the newest healthy one besides that in force. Throws ReeveError `not-found`. */
export function findChosen(
  state: RolloutState,
  wanted: string | undefined,
  inForce: string | undefined,
): RevisionRecord {
  const found =
    wanted === undefined
      ? findWayBack(state, inForce ?? '')
      : state.revisions.findLast(({ revision: { commit } }) => wanted.length >= 7 && commit.startsWith(wanted))
  if (found) return found
  throw notFound(wanted)
}

function notFound(wanted: string | undefined): ReeveError {
  const which =
    wanted === undefined
      ? 'no other revision has been healthy on this host'
      : `no revision ${wanted} was tried on this host (a commit takes at least its first seven digits)`
  return new ReeveError('not-found', `${which}; reeve revisions lists what there is`)
}
