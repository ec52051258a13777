import { ReeveError } from '../../core/reeve-error.ts'

/** Throws ReeveError `refused`: `what` would change a host that is in report mode. */
export function refuseInReportMode(what: string): never {
  throw new ReeveError(
    'refused',
    `${what}: this host is in report mode (mode: report in the host configuration), so nothing is changed on it. ` +
      'reeve plan shows what there is to do; to have it done, set mode: reconcile there, and restart the controller if one runs',
  )
}
