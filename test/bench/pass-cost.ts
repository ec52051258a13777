import { createReconcileQueue, type Due } from '../../src/engine/controller/reconcile-queue.ts'
import { createReconciliation } from '../../src/engine/controller/reconciliation.ts'
import type { EngineLab } from '../labs/engine-lab.ts'
import { type BenchReport, openBenchReport } from './bench-report.ts'
import { formatTime, spreadOf } from './spread.ts'

const RUNS = 15

/** The first passes pay for compiling and caching. */
const UNCOUNTED = 5

const passes: Readonly<Record<string, Due>> = {
  'manifests read': { manifests: true, full: true, facilities: new Set() },
  'all looked at': { manifests: false, full: true, facilities: new Set() },
  'a hint for one': { manifests: false, full: false, facilities: new Set(['s00003']) },
}

type CostRow = readonly [
  supervisor: string,
  services: number,
  pass: string,
  runs: number,
  best: string,
  p50: string,
  p99: string,
  elapsed: string,
]

export function openCostReport(name: string): BenchReport<CostRow> {
  return openBenchReport(
    name,
    'A pass of the controller in which nothing has changed, in processor time of its process. Aim: a hint at 1,000 services under 60 ms',
    ['supervisor', 'services', 'pass', 'runs', 'best', 'p50', 'p99', 'elapsed, p50'],
  )
}

/** Cost of a pass over the lab's declared facilities, which are already applied. */
export async function measurePasses(
  lab: EngineLab,
  report: BenchReport<CostRow>,
  name: string,
  count: number,
): Promise<void> {
  const session = await lab.open()
  const queue = createReconcileQueue(session.clock)
  const reconciliation = createReconciliation(session, { queue, listener() {}, allowRemovals: 0, drifted() {} })
  for (const [what, due] of Object.entries(passes)) {
    const used: number[] = []
    const elapsed: number[] = []
    for (let run = 0; run < RUNS + UNCOUNTED; run += 1) {
      const before = process.cpuUsage()
      const began = performance.now()
      const { plan } = await reconciliation.pass(due)
      reconciliation.status()
      const { user, system } = process.cpuUsage(before)
      if (plan.facilities.some(({ steps }) => steps.length > 0)) throw new Error('expected nothing to do')
      if (run < UNCOUNTED) continue
      used.push((user + system) / 1_000)
      elapsed.push(performance.now() - began)
    }
    const { best, p50, p99 } = spreadOf(used)
    report.add(
      name,
      count,
      what,
      RUNS,
      formatTime(best),
      formatTime(p50),
      formatTime(p99),
      formatTime(spreadOf(elapsed).p50),
    )
  }
  await reconciliation.end()
}
