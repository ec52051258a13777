import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Clock } from '../../../src/host/clock.ts'
import type { Family } from '../family.ts'
import type { Layout, Place } from '../layout.ts'

export interface Application {
  readonly family: Family
  readonly layout: Layout
  readonly host: WriteHost
  readonly clock: Clock
  /** Notifies the scanner, if it needs that; see coalesce.ts. */
  readonly announce: () => Promise<void>
  /** Claim to write into a recreated definition if its service still runs in a deleted one; see orphaned-definition.ts. */
  readonly findOrphan: (directory: string) => string | undefined
  /** Throws if the scanner accepts no more services; see capacity.ts. */
  readonly claimRoom: (service: string) => void
}

/** An action under way. */
export interface Task extends Application {
  readonly place: Place
  readonly signal: AbortSignal
  readonly waits: (until: string) => void
}
