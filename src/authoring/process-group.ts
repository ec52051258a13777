import type { Clock } from '../core/contracts/clock.ts'
import type { WriteHost } from '../core/contracts/host.ts'
import type { Task } from './each-action.ts'

/** Processes of a run, which are one process group. */
export interface ProcessGroup {
  /** The main process. */
  readonly pid: number
  readonly group: number
}

export interface EndOptions {
  readonly host: WriteHost
  readonly clock: Clock
  /** Absent: TERM. */
  readonly signal?: string
  /** In ms: who is left by then gets KILL. Absent: 10,000. */
  readonly timeout?: number
}

/**
 * Ends a run for a supervisor that ends the main process alone: the whole group gets the signal, and KILL once the timeout is over.
 * Resolves when none of it is left; throws ReeveError `aborted` when the action isn't wanted any more.
 */
export async function endGroup(
  { pid, group }: ProcessGroup,
  { waitUntil }: Pick<Task, 'waitUntil'>,
  { host, clock, signal = 'TERM', timeout = 10_000 }: EndOptions,
): Promise<void> {
  const isMember = (other: number): boolean => {
    const facts = host.process(other)
    return facts?.group === group && facts.state !== 'Z'
  }
  // While the main process is there, the others needn't be looked for.
  const isOver = (): boolean => !isMember(pid) && !host.processes().some(isMember)
  if (isOver()) return
  host.kill(-group, signal)
  const end = clock.elapsed() + timeout
  await waitUntil(() => {
    if (isOver()) return true
    if (clock.elapsed() >= end) host.kill(-group, 'KILL')
    return false
  })
}
