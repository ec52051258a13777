import type { ProcessFacts, ReadHost } from '../../../src/core/contracts/host.ts'
import { beat } from '../../../src/host/common-beat.ts'
import { isLiving } from '../../../src/host/process-identity.ts'
import type { Layout } from './layout.ts'
import { findSupervisor, isFrozen } from './supervisor-process.ts'

/** Interval in ms at which the supervisor is checked to be alive: a SIGKILL causes no event. */
const interval = 500

/** Calls `hint` when the supervisor has started, has ended, is suspended by SIGSTOP or continues. */
export function watchLiveness(layout: Layout, host: ReadHost, hint: () => void): Disposable {
  let last = look(layout, host)
  return beat(interval, () => {
    // Mostly nothing has changed, which a look at its process shows without reading the lock again.
    if (last.process !== undefined && describe(host.process(last.process.pid)) === last.description) return
    const current = look(layout, host)
    if (current.description !== last.description) hint()
    last = current
  })
}

interface Sight {
  readonly process: ProcessFacts | undefined
  readonly description: string
}

function look(layout: Layout, host: ReadHost): Sight {
  try {
    const supervisor = findSupervisor(host, layout)
    const process = supervisor.state === 'dead' ? undefined : host.process(supervisor.pid)
    return { process, description: describe(process) }
  } catch {
    return { process: undefined, description: 'unreadable' }
  }
}

function describe(facts: ProcessFacts | undefined): string {
  if (!isLiving(facts)) return 'dead'
  return `${facts.pid} ${facts.startTime} ${isFrozen(facts) ? 'frozen' : 'alive'}`
}
