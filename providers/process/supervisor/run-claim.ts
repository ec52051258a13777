import { messageOf } from '../../../src/core/reeve-error.ts'
import { runPath } from '../shared/layout.ts'
import { type Context, type Service, wakeIn } from './service.ts'

/**
 * Takes over a run recorded by the previous supervisor, which was killed before or after it spawned the shim. The run
 * belongs to the first who creates the claim: a late shim starts nothing. A shell's noclobber creates it exclusively, as the
 * shim itself does.
 */
export function claimRun(service: Service, context: Context): void {
  const { host, layout, log, wake } = context
  const { run } = service.record
  if (service.claimed === run) return
  try {
    const claim = runPath(layout, service.name, run, 'shim')
    const shell = host.spawn(['/bin/sh', '-c', 'set -C; : >"$1"', 'sh', claim], { environment: {}, directory: '/' })
    service.claimed = run
    void shell.exited.then(() => {
      service.claimed = 0
      wake(service.name)
    })
  } catch (error) {
    log.error({ service: service.name, run }, `could not claim the run: ${messageOf(error)}`)
    wakeIn(service, 1_000, context)
  }
}
