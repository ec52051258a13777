import type { WriteHost } from '../../src/core/provider.ts'
import type { Clock } from '../../src/host/clock.ts'
import type { Family } from './family.ts'
import type { Layout, Place } from './layout.ts'

export interface Application {
  readonly family: Family
  readonly layout: Layout
  readonly host: WriteHost
  readonly clock: Clock
  /** Has the scanner look at its directory, if it has to be told; see announcing.ts. */
  readonly announce: () => Promise<void>
  /** Throws if the scanner takes no more services than it has; see capacity.ts. */
  readonly claimRoom: (service: string) => void
}

/** One action under way. */
export interface Task extends Application {
  readonly place: Place
  readonly signal: AbortSignal
  readonly waits: (until: string) => void
}
