import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Clock } from '../../../src/host/clock.ts'
import type { Family } from '../family.ts'
import type { Layout, Place } from '../layout.ts'

export interface Application {
  readonly family: Family
  readonly layout: Layout
  readonly host: WriteHost
  readonly clock: Clock
  /** Has the scanner look at its directory, if it has to be told; see announcing.ts. */
  readonly announce: () => Promise<void>
  /** What is to be claimed in a definition that is made anew, if its service still runs in one that was deleted; see deleted.ts. */
  readonly findOrphan: (directory: string) => string | undefined
  /** Throws if the scanner takes no more services than it has; see capacity.ts. */
  readonly claimRoom: (service: string) => void
}

/** One action under way. */
export interface Task extends Application {
  readonly place: Place
  readonly signal: AbortSignal
  readonly waits: (until: string) => void
}
