import type { ProbeHost } from '../../core/contracts/host.ts'
import type { Facility } from '../../core/model/facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Clock } from '../../host/clock.ts'
import { openDeadline } from '../../host/deadline.ts'
import { probeByCommand } from './health-command.ts'
import { probeHttp, probeTcp } from './health-connection.ts'
import type { ProbeResult } from './probe-result.ts'

/** Time beyond its timeout that a health command has to end, in ms. */
const endingTime = 3_000

/**
 * Probes health once, and leaves nothing open or running. Never rejects: any error is unhealthy. Resolves at the timeout at the
 * latest; for a command a little later, when it has ended.
 */
export async function probeHealth(
  { health, process }: Pick<Facility, 'health' | 'process'>,
  host: ProbeHost,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (!health) return { healthy: true }
  const { check, timeout } = health
  const began = clock.elapsed()
  const limit = check.type === 'exec' ? timeout + endingTime : timeout
  using deadline = openDeadline(clock, limit, [signal])
  try {
    if (check.type === 'http') return await abortable(probeHttp(check, host, deadline.signal), deadline.signal)
    if (check.type === 'tcp') return await abortable(probeTcp(check, deadline.signal), deadline.signal)
    const probing = probeByCommand(check.command, { process, host, timeout, signal })
    return await abortable(probing, deadline.signal)
  } catch (error) {
    const isLate = !signal.aborted && clock.elapsed() - began >= timeout
    return { healthy: false, message: isLate ? `no answer in ${timeout} ms` : messageOf(error) }
  }
}
