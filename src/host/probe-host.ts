import type { ProbeHost, ReadHost } from '../core/contracts/host.ts'
import type { Clock } from './clock.ts'
import { runContained } from './contained-run.ts'

/** The host for those who only ask services how they are. */
export function createProbeHost(host: ReadHost, clock: Clock): ProbeHost {
  return Object.freeze<ProbeHost>({
    ...host,
    runContained: (command, options) => runContained(command, options, clock),
  })
}
