import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture } from '../labs/cli-fixture.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, findSupervision, plainConfiguration, runningSleeper } from './load-generator.ts'
import { readMemory, readProcessorTime } from './process-use.ts'
import { formatMemory } from './spread.ts'

const counts = [100, 1_000]

/** Time in ms after a start until its consequences (readiness, records) are over. */
const REST = 15_000

/** One resync interval in ms: its share of the load is permanent. */
const WINDOW = 300_000

test('idle', async () => {
  const report = openBenchReport(
    'idle',
    `Nothing happens for ${WINDOW / 1_000} s. Aims: controller under 1 % of a core and 120 MB at 1,000; built-in supervisor under 60 MB at 100`,
    ['facilities', 'what', 'processes', 'of a core', 'PSS', 'RSS'],
  )
  const loads: { readonly count: number; readonly parts: readonly Part[] }[] = []
  for (const count of counts) loads.push({ count, parts: await settle(count) })
  await sleep(REST)
  const parts = loads.flatMap(load => load.parts)
  const before = parts.map(usedBy)
  const began = performance.now()
  await sleep(WINDOW)
  const duration = performance.now() - began
  const shares = new Map(parts.map((part, index) => [part, (usedBy(part) - (before[index] ?? 0)) / duration]))
  for (const { count, parts } of loads) {
    for (const part of parts) {
      const { proportional, resident } = readMemory(part.pids)
      const share = `${((shares.get(part) ?? Number.NaN) * 100).toFixed(2)} %`
      report.add(count, part.what, part.pids.length, share, formatMemory(proportional), formatMemory(resident))
    }
  }
  report.print()
})

interface Part {
  readonly what: string
  readonly pids: readonly number[]
}

async function settle(count: number): Promise<Part[]> {
  const fixture = openCliFixture()
  fixture.write('reeve.yaml', plainConfiguration)
  declareMany(fixture, count, runningSleeper)
  const controller = await startController(fixture, count)
  const { daemon, shims } = findSupervision(fixture)
  return [
    { what: 'controller (reeve run)', pids: [controller] },
    { what: 'built-in supervisor: daemon', pids: [daemon] },
    { what: 'built-in supervisor: shims', pids: shims },
    { what: 'built-in supervisor: all', pids: [daemon, ...shims] },
  ]
}

async function startController(fixture: CliFixture, count: number): Promise<number> {
  const { child, stderr } = fixture.start(['run'])
  await eventually('all are as declared', () => stderr().includes(`all ${count} facilities are as declared`), 120_000)
  if (child.pid === undefined) throw new Error('expected a controller that runs')
  return child.pid
}

function usedBy({ pids }: Part): number {
  return pids.reduce((sum, pid) => sum + readProcessorTime(pid), 0)
}
