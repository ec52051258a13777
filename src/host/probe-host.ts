import type { ProbeHost, ReadHost } from '../core/contracts/host.ts'
import type { Clock } from './clock.ts'
import { runContained } from './contained-run.ts'

/** Host for probing services. */
export function createProbeHost(host: ReadHost, clock: Clock): ProbeHost {
  return Object.freeze<ProbeHost>({
    ...host,
    runContained: (command, options) => runContained(command, options, clock),
  })
}
