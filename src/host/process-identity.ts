import type { ProcessFacts, ReadHost } from '../core/contracts/host.ts'

/** A process, known for good within one boot. */
export interface ProcessIdentity {
  readonly pid: number
  /** See `ProcessFacts`. */
  readonly startTime: string
}

/** False for a zombie. */
export function isLiving(facts: ProcessFacts | undefined): facts is ProcessFacts {
  return facts !== undefined && facts.state !== 'Z' && facts.state !== 'X'
}

/** True if the process lives and its pid wasn't reused. */
export function isAlive({ pid, startTime }: ProcessIdentity, host: Pick<ReadHost, 'process'>): boolean {
  const facts = host.process(pid)
  return isLiving(facts) && facts.startTime === startTime
}
