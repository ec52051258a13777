import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Layout } from '../units/layout.ts'

/** What observations are made with. */
export interface Ground {
  readonly bus: Bus
  readonly host: ReadHost
  readonly layout: Layout
}
