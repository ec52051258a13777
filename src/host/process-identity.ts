import type { ProcessFacts, ReadHost } from '../core/contracts/host.ts'

/** A process, known for good within one boot. */
export interface ProcessIdentity {
  readonly pid: number
  /** See `ProcessFacts`. */
  readonly startTime: string
}

/** False of what has ended and is only still in the table, waiting for its parent. */
export function isLiving(facts: ProcessFacts | undefined): facts is ProcessFacts {
  return facts !== undefined && facts.state !== 'Z' && facts.state !== 'X'
}

/** Whether it lives, and no other has got its number. */
export function isAlive({ pid, startTime }: ProcessIdentity, host: Pick<ReadHost, 'process'>): boolean {
  const facts = host.process(pid)
  return isLiving(facts) && facts.startTime === startTime
}
