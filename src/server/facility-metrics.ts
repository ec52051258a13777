import type { Registry } from 'prom-client'
import type { FacilityStatus } from '../core/contracts/status.ts'

type Prometheus = typeof import('prom-client')

/** Conditions of facilities, counted and by name. */
export interface FacilityMetrics {
  /** Replaces all series: a facility that is gone has none. */
  set(facilities: readonly FacilityStatus[]): void
}

/** Series by name are made when they are read: a pass for each hint must not pay for ten thousand of them. */
export function createFacilityMetrics({ Counter, Gauge }: Prometheus, registers: Registry[]): FacilityMetrics {
  let facilities: readonly FacilityStatus[] = []
  const common = { labelNames: ['facility'], registers } as const
  new Gauge({
    name: 'reeve_facilities',
    help: 'Facilities for which the condition holds; NotReady: those for which Ready does not; Drifted: those otherwise than declared about which nothing is done, as they are suspended or the host is in report mode.',
    labelNames: ['condition'],
    registers,
    collect() {
      for (const [condition, count] of countConditions(facilities)) this.set({ condition }, count)
    },
  })
  new Gauge({
    ...common,
    name: 'reeve_facility_ready',
    help: '1 if the facility is ready, else 0.',
    collect() {
      this.reset()
      for (const status of facilities) this.set({ facility: status.name }, isReady(status) ? 1 : 0)
    },
  })
  new Gauge({
    ...common,
    name: 'reeve_facility_drifted',
    help: '1 if the facility is otherwise than declared and nothing is done about it, as it is suspended or the host is in report mode; else 0.',
    collect() {
      this.reset()
      for (const status of facilities) this.set({ facility: status.name }, isDrifted(status) ? 1 : 0)
    },
  })
  new Counter({
    ...common,
    name: 'reeve_facility_restarts_total',
    help: 'How often its supervisor has restarted the facility by itself since it was last asked to start it. No sample: the supervisor does not say.',
    collect() {
      this.reset()
      for (const { name, restarts } of facilities) if (restarts !== undefined) this.inc({ facility: name }, restarts)
    },
  })
  return {
    set(all) {
      facilities = all
    },
  }
}

function isReady({ conditions }: FacilityStatus): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

function isDrifted({ pending }: FacilityStatus): boolean {
  return pending !== undefined
}

function countConditions(facilities: readonly FacilityStatus[]): Map<string, number> {
  const counts = new Map([
    ['Ready', 0],
    ['NotReady', 0],
    ['Reconciling', 0],
    ['Stalled', 0],
    ['CrashLooping', 0],
    ['Undone', 0],
    ['Drifted', 0],
  ])
  const add = (condition: string): void => void counts.set(condition, (counts.get(condition) ?? 0) + 1)
  for (const facility of facilities) {
    for (const { type, status } of facility.conditions) if (status === 'True') add(type)
    if (!isReady(facility)) add('NotReady')
    if (isDrifted(facility)) add('Drifted')
  }
  return counts
}
