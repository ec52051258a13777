import type { Control } from '../../core/contracts/control.ts'
import type { Status } from '../../core/contracts/status.ts'
import { refuseInReportMode } from '../session/report-mode.ts'
import type { Session } from '../session/session.ts'

/** The same control; on a host in report mode it refuses, before it asks or fetches anything, what would change the host. */
export function withMode(control: Control, { configuration }: Pick<Session, 'configuration'>): Control {
  if (configuration.mode !== 'report') return control
  return {
    ...control,
    act: async (verb, name) => refuseInReportMode(`${verb} ${name}`),
    apply: async () => refuseInReportMode('apply'),
    planDown: async () => refuseInReportMode('down'),
    down: async () => refuseInReportMode('down'),
  }
}

/** Mode of the host, as the status tells it. */
export function modeOf({ configuration }: Pick<Session, 'configuration'>): Pick<Status, 'mode'> {
  return configuration.mode === 'report' ? { mode: configuration.mode } : {}
}
